"""Dotted paths into a scenario, such as ``network.spans.*.loss``, and what stands there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

from topologies.suggest import unknown

NAMED = {("network", "campuses"): "campus", ("network", "spans"): "span"}
"""Mappings whose keys are names: a sweep varies those that are there and adds none."""
EVERY = "*"

Place = tuple[str | int, ...]


def places(path: str, data: Mapping[str, Any]) -> list[Place]:
    """Return the places in a scenario's data that a path reaches: several where it says ``*``.

    Keys that are not there yet are taken as they are, for the scenario's model to judge. Raises
    ValueError for a name, a position or a ``*`` that fits nothing.
    """
    parts = path.split(".")
    if not all(parts):
        raise ValueError(
            "is not a path: write names with a dot between them, such as workload.steps"
        )
    found: list[tuple[Place, Any]] = [((), data)]
    for part in parts:
        found = [step for place, here in found for step in _within(place, here, part)]
    return [place for place, _ in found]


def check_apart(by_path: Mapping[str, Sequence[Place]]) -> None:
    """Raise ValueError where two paths reach the same place, or one what lies within another's."""
    for (one, ones), (other, others) in combinations(by_path.items(), 2):
        for a in ones:
            for b in others:
                if a[: len(b)] == b[: len(a)]:
                    both = ".".join(map(str, b if len(a) < len(b) else a))
                    raise ValueError(f"{one} and {other} both set {both}: vary one of them")


def put(data: dict[str, Any], place: Place, value: Any) -> None:
    """Set what stands at a place; keys on the way that are not there are made."""
    here: Any = data
    for part, following in pairwise(place):
        if isinstance(here, dict) and not isinstance(here.get(part), dict | list):
            here[part] = {}
        here = here[part]
        assert isinstance(here, dict) or isinstance(following, int), "checked by places"
    here[place[-1]] = value


def _within(place: Place, here: Any, part: str) -> Iterable[tuple[Place, Any]]:
    """Yield what a part of a path reaches from a place."""
    where = ".".join(map(str, place)) or "the scenario"
    if isinstance(here, list):
        if part == EVERY:
            return [((*place, index), entry) for index, entry in enumerate(here)]
        if not part.isdigit() or int(part) >= len(here):
            raise ValueError(f"{where} has entries 0 to {len(here) - 1}, and no {part}")
        return [((*place, int(part)), here[int(part)])]
    names = here if isinstance(here, dict) else {}
    if part == EVERY:
        if place not in NAMED or not names:
            allowed = ", ".join(f"{'.'.join(mapping)}.*" for mapping in NAMED)
            raise ValueError(
                f"{where} has nothing that * could stand for; allowed: {allowed}, timeline.*"
            )
        return [((*place, name), names[name]) for name in names]
    if place in NAMED and part not in names:
        raise ValueError(unknown(NAMED[place], part, [*names, EVERY]))
    return [((*place, part), names.get(part))]
