"""A number of a range, with the dimension that its text has: ``"1 ms"``, ``"1e-6"`` or 3."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from topologies.errors import UnitError
from topologies.units import UNITS, exact, parse

DIGITS = 4
"""Significant ones of values in between: a table of them can be read, and none coincide."""
BASE_UNITS = {"rate": "bps", "duration": "ns", "length": "m", "size": "bytes"}
"""The suffix of a name that holds a dimension's base units."""

EXPONENT = re.compile(r"[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")
"""What YAML takes for text where its mantissa has no point."""


@dataclass(frozen=True)
class Quantity:
    """A number: in base units of its dimension, or plain (None), then whole or not."""

    value: float
    dimension: str | None = None
    whole: bool = False

    @property
    def stated(self) -> Any:
        """Return it as a scenario file states it."""
        if self.dimension:
            return exact(round(self.value), self.dimension)
        return round(self.value) if self.whole else self.value

    @property
    def rounded(self) -> Quantity:
        """Return it with so few digits that it can be read; whole numbers stay whole."""
        return replace(self, value=float(f"{self.value:.{DIGITS}g}"))


def quantity_of(value: object) -> Quantity:
    """Read a number or a quantity; raises ValueError for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Quantity(value, whole=isinstance(value, int))
    if isinstance(value, str) and EXPONENT.fullmatch(value):
        return Quantity(float(value))
    for dimension in UNITS:
        try:
            return Quantity(parse(value, dimension), dimension)
        except UnitError:
            continue
    raise ValueError(f'"{value}" is neither a number nor a quantity such as "10 ms"')
