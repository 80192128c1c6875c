"""The runs of a sweep: a scenario for each, all found valid before any of them begins. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from experiments.bounds import Bounds
from experiments.loading import settled_twin
from experiments.scenario import Scenario
from experiments.sweep.design import combinations
from experiments.sweep.paths import Place, check_apart, places, put
from experiments.sweep.spec import SweepSpec
from experiments.twinbounds import beyond
from topologies.errors import NetworkError
from topologies.files import FileError, as_model

SHOWN = 8
"""Faults of points that are said one by one; the same fault of many is said once."""


@dataclass(frozen=True)
class Point:
    """One run of a sweep.

    Attributes:
        index: from 0, the repetitions of a point beside each other.
        point: number of its combination of values, from 0.
        repetition: from 0.
        values: by varied path.
        base: what the sweep's scenario states, as plain data.
        places: that each varied path reaches in it.
    """

    index: int
    point: int
    repetition: int
    values: Mapping[str, Any]
    base: dict[str, Any] = field(repr=False)
    places: Mapping[str, Sequence[Place]] = field(repr=False)

    @property
    def scenario(self) -> dict[str, Any]:
        """Return its scenario as plain data of its own."""
        data = deepcopy(self.base)
        for path, reached in self.places.items():
            for place in reached:
                put(data, place, deepcopy(self.values[path]))
        data["seed"] = seed_of(data.get("seed", 0), self.repetition)
        return data

    @property
    def seed(self) -> int:
        """Return the seed of its scenario."""
        seed: int = self.scenario["seed"]
        return seed

    @property
    def folder(self) -> str:
        """Return the name of its run folder."""
        return f"{self.point:05d}-{self.repetition}"

    @property
    def name(self) -> str:
        """Say which one it is."""
        said = ", ".join(f"{path} {text_of(value)}" for path, value in self.values.items())
        return f"point {self.point} ({said})"


def text_of(value: Any) -> str:
    """Return a varied value in words: ``{name: diloco, every: 4}`` as ``diloco every=4``."""
    if isinstance(value, dict) and "name" in value:
        rest = [f"{key}={text_of(it)}" for key, it in value.items() if key != "name"]
        return " ".join([str(value["name"]), *rest])
    return value if isinstance(value, str) else json.dumps(value)


def plain(scenario: Scenario) -> dict[str, Any]:
    """Return what a scenario states, short forms written out, as plain data."""
    data: dict[str, Any] = scenario.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return data


def expand(spec: SweepSpec, scenario: Scenario, where: str) -> list[Point]:
    """Return every run of a sweep; none has been looked at by the scenario's model yet.

    Raises FileError, after ``where``, for a path that reaches nothing and a design that cannot be.
    """
    base = plain(scenario)
    by_path: dict[str, list[Place]] = {}
    try:
        for path in spec.vary:
            try:
                by_path[path] = places(path, base)
            except ValueError as error:
                raise ValueError(f"vary.{path}: {error}") from None
        check_apart(by_path)
        drawn = combinations(spec)
    except ValueError as error:
        raise FileError(f"{where}: {error}") from None
    combined = enumerate(dict(zip(by_path, values, strict=True)) for values in drawn)
    pairs = product(combined, range(spec.repetitions))
    return [
        Point(index, number, repetition, values, base, by_path)
        for index, ((number, values), repetition) in enumerate(pairs)
    ]


def seed_of(seed: Any, repetition: int) -> Any:
    """Return the seed of a repetition: the scenario's own, then words that numpy spawns from it.

    The same for every point, so that points are compared under the same draws.
    """
    if repetition == 0 or not isinstance(seed, int) or seed < 0:
        return seed  # what is not a seed is refused with the rest of the scenario
    import numpy

    return int(numpy.random.SeedSequence([seed, repetition]).generate_state(1)[0])


def check_all(
    points: Sequence[Point],
    where: str,
    looked_at: Callable[[int], None],
    bounds: Bounds | None = None,
) -> list[str]:
    """See that every point's scenario is valid and has a twin; raises FileError naming points.

    Returns what is to be said of points that are beyond a machine's ``bounds``.
    """
    faults: dict[str, list[Point]] = {}
    said: dict[str, list[Point]] = {}
    for number, point in enumerate(points):
        if point.repetition == 0:
            try:
                scenario, twin = settled_twin(as_model(point.scenario, Scenario, ""))
                for sentence in beyond(scenario, twin, bounds) if bounds else ():
                    said.setdefault(sentence, []).append(point)
            except NetworkError as error:
                for fault in str(error).splitlines():
                    faults.setdefault(fault.removeprefix(": "), []).append(point)
        looked_at(number + 1)
    if faults:
        raise FileError("\n".join(_told(faults, where, "faults")))
    return _told(said, where, "limits")


def _told(said: Mapping[str, list[Point]], where: str, what: str) -> list[str]:
    """Return a line for each thing that is said of points, and for how many."""
    lines = []
    for sentence, at in list(said.items())[:SHOWN]:
        more = f" and {len(at) - 1} more" if len(at) > 1 else ""
        lines.append(f"{where}: {at[0].name}{more}: {sentence}")
    if len(said) > SHOWN:
        lines.append(f"{where}: and {len(said) - SHOWN} more {what}")
    return lines
