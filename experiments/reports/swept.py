"""What a sweep's folder holds: which fields were varied, and what each point came to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from experiments.scenario import Scenario
from experiments.statistics.pooling import mean_interval
from experiments.sweep.columns import names_of
from experiments.sweep.ended import Ended
from experiments.sweep.points import Point, expand
from experiments.sweep.quantity import quantity_of
from experiments.sweep.spec import SweepSpec, load_sweep
from experiments.sweep.store import ASKED, LEDGER
from topologies.files import FileError
from topologies.units import render

DRAWN = ("random", "sobol")


@dataclass(frozen=True)
class Field:
    """A field that was varied.

    Attributes:
        path: in the scenario.
        name: short, as columns of the table have it.
        values: that it took, numbers in rising order, others as they were stated.
        dimension: of the numbers' unit; None for plain numbers and for no numbers at all.
        numeric: whether all its values are numbers or quantities.
    """

    path: str
    name: str
    values: tuple[Any, ...]
    dimension: str | None
    numeric: bool

    def said(self, value: Any) -> str:
        """Return a value in words."""
        if isinstance(value, Mapping):
            return ", ".join(
                f"{it}" if key == "name" else f"{key} {it}" for key, it in value.items()
            )
        if isinstance(value, float):
            return f"{value:g}"
        return str(value)

    def number(self, value: Any) -> float:
        """Return a value of a numeric field in base units."""
        return float(quantity_of(value).value)

    def render(self, number: float) -> str:
        """Return a number in base units in words."""
        return render(round(number), self.dimension) if self.dimension else f"{number:.3g}"


@dataclass(frozen=True)
class Found:
    """What a point came to in a phase: over the runs that count, or, where none does, over others.

    Attributes:
        point: its number.
        values: by path.
        coherence: None where no run of it got so far.
        low, high: of its 95 % interval.
        class_: as results name it, of most runs.
        faithful: how many runs were and count.
        runs: how many there are.
        errors: of those that failed.
    """

    point: int
    values: Mapping[str, Any]
    coherence: float | None
    low: float | None
    high: float | None
    class_: str | None
    faithful: int
    runs: int
    verdicts: tuple[str, ...]
    folders: tuple[str, ...]

    @property
    def counts(self) -> bool:
        """Return whether its coherence can be believed."""
        return self.coherence is not None and self.faithful > 0


@dataclass(frozen=True)
class SweepFolder:
    """A sweep's folder, read.

    Attributes:
        ended: by index of the point.
        phases: of the runs, in the order in which they came.
    """

    folder: Path
    spec: SweepSpec
    scenario: Scenario
    points: Sequence[Point]
    ended: Mapping[int, Ended]
    fields: Sequence[Field]
    phases: Sequence[str]

    def found(self, phase: str) -> list[Found]:
        """Return what every point that has a run came to in a phase.

        Points that differ in nothing but the seed are repetitions of the first of them.
        """
        first = self.first_alike
        by_point: dict[int, list[Ended]] = {}
        for index, run in sorted(self.ended.items()):
            by_point.setdefault(first[self.points[index].point], []).append(run)
        values = {point.point: point.values for point in self.points}
        return [_found(point, values[point], runs, phase) for point, runs in by_point.items()]

    @property
    def first_alike(self) -> dict[int, int]:
        """Return by point the first one with the same values of all fields."""
        seen: dict[str, int] = {}
        found = {}
        for point in self.points:
            key = json.dumps([point.values[field.path] for field in self.fields])
            found[point.point] = seen.setdefault(key, point.point)
        return found

    @property
    def failed(self) -> list[tuple[Point, Ended]]:
        """Return the runs that failed."""
        return [
            (self.points[index], run)
            for index, run in sorted(self.ended.items())
            if run.status != "finished"
        ]


def read_sweep(folder: Path) -> SweepFolder:
    """Read a sweep's folder, at work or not; raises FileError for one that is not understood."""
    spec, scenario = load_sweep(folder / ASKED)
    points = expand(spec, scenario, str(folder / ASKED))
    said = {point.index: point.folder for point in points}
    ended = {it.index: it for it in _ledger(folder / LEDGER) if said.get(it.index) == it.folder}
    if not ended:
        raise FileError(f"{folder}: no point of this sweep has ended; run ./spanlab sweep first")
    phases = dict.fromkeys(it["phase"] for run in ended.values() for it in run.phases)
    return SweepFolder(folder, spec, scenario, points, ended, fields_of(points), tuple(phases))


def fields_of(points: Sequence[Point]) -> list[Field]:
    """Return the varied fields in their order; the seed is none."""
    paths = [path for path in points[0].values if path != "seed"]
    names = names_of(paths)
    return [_field(path, names[path], [point.values[path] for point in points]) for path in paths]


def _field(path: str, name: str, stated: Sequence[Any]) -> Field:
    distinct = {json.dumps(value): value for value in stated}
    values = list(distinct.values())
    try:
        quantities = [None if isinstance(it, bool) else quantity_of(it) for it in values]
    except ValueError:
        quantities = [None]
    dimensions = {it.dimension if it else "none" for it in quantities}
    numeric = None not in quantities and len(dimensions) == 1
    dimension = dimensions.pop() if numeric else None
    if numeric:
        values.sort(key=lambda value: quantity_of(value).value)
    return Field(path, name, tuple(values), dimension, numeric)


def _found(point: int, values: Mapping[str, Any], runs: Sequence[Ended], phase: str) -> Found:
    measured = [
        (run.verdict == "faithful" and run.status == "finished", it)
        for run in runs
        for it in run.phases
        if it["phase"] == phase
    ]
    counted = [it for faithful, it in measured if faithful]
    used = counted or [it for _, it in measured]
    coherence = low = high = class_ = None
    if used:
        coherence = fmean(it["coherence"] for it in used)
        ends = mean_interval([it["coherence"] for it in used])
        low, high = ends or (used[0]["coherence_low"], used[0]["coherence_high"])
        class_ = Counter(it["class"] for it in used).most_common(1)[0][0]
    verdicts = tuple(run.verdict or run.status for run in runs)
    folders = tuple(run.folder for run in runs)
    return Found(
        point, values, coherence, low, high, class_, len(counted), len(runs), verdicts, folders
    )


def _ledger(file: Path) -> list[Ended]:
    """Return what whole lines say; the last one may be half written."""
    found = []
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            found.append(Ended.from_json(line))
        except (ValueError, TypeError, KeyError):
            break
    return found
