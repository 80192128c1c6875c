"""How a sweep becomes pictures: two fields span a plane, others tell pictures apart. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.reports.swept import DRAWN, Field, Found, SweepFolder

PREFERRED = ("delay", "loss")
"""Ends of the paths that span the plane where both are varied."""
FEW = 6
"""Values of a field that is shown picture by picture where values are drawn."""


@dataclass(frozen=True)
class Facet:
    """Points that belong into one picture: all that agree in the other fields.

    Attributes:
        name: what they agree in, in words; empty where there is nothing else.
        found: what they came to.
    """

    name: str
    found: Sequence[Found]


@dataclass(frozen=True)
class Layout:
    """Which fields are shown how.

    Attributes:
        axes: the fields that span a picture: two, one or none, all numeric.
        others: by which pictures differ.
        scattered: whether points lie anywhere, not on the crossings of a grid.
    """

    axes: tuple[Field, ...]
    others: tuple[Field, ...]
    scattered: bool

    def facets(self, found: Sequence[Found]) -> list[Facet]:
        """Sort points into pictures."""
        by_name: dict[str, list[Found]] = {}
        for it in sorted(found, key=self._place):
            by_name.setdefault(facet_name(self.others, it.values), []).append(it)
        return [Facet(name, points) for name, points in by_name.items()]

    def _place(self, found: Found) -> tuple[int, ...]:
        return tuple(cell_key(field, found.values[field.path]) for field in self.others)


def facet_name(fields: Sequence[Field], values: Mapping[str, Any]) -> str:
    """Return what a point's values of some fields are, in words."""
    said = []
    for field in fields:
        text = field.said(values[field.path])
        said.append(f"{field.name} {text}" if field.numeric else text)
    return ", ".join(said)


def layout_of(sweep: SweepFolder) -> Layout:
    """Choose the axes: delay and loss where both are varied, else the first numeric fields."""
    numeric = [it for it in sweep.fields if it.numeric and len(it.values) > 1]
    by_end = {it.path.split(".")[-1]: it for it in reversed(numeric)}
    preferred = [by_end[end] for end in PREFERRED if end in by_end]
    axes = preferred if len(preferred) == len(PREFERRED) else numeric[:2]
    scattered = sweep.spec.design in DRAWN or (sweep.spec.design == "zip" and len(axes) == 2)
    others = [it for it in sweep.fields if it not in axes and len(it.values) > 1]
    if scattered:
        others = [it for it in others if not it.numeric or len(it.values) <= FEW]
    return Layout(tuple(axes), tuple(others), scattered)


def cell_key(field: Field, value: Any) -> int:
    """Return the place of a value among a field's."""
    return [json.dumps(it) for it in field.values].index(json.dumps(value))
