"""Where numbers lie on an axis: one beside the other, or by their size. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.reports.swept import Field

LOGARITHMIC = 20.0
"""From this ratio of the largest to the smallest on, sizes are compared by their logarithm."""
MOST_TICKS = 12
FEW_DECADES = 4
"""Up to so many, there is room for more than one mark in each."""
MARGIN = 0.05
"""Of an axis, beyond its outermost points."""


@dataclass(frozen=True)
class Scale:
    """An axis on which a field's numbers lie by their size.

    Attributes:
        field: whose numbers they are.
        zero: where 0 lies on a logarithmic axis; None on a linear one.
    """

    field: Field
    zero: float | None

    def at(self, number: float) -> float:
        """Return the place of a number in base units."""
        if self.zero is None:
            return number
        return math.log10(number) if number > 0 else self.zero

    @property
    def range(self) -> list[float]:
        """Return both ends of the axis, a little beyond the field's own values."""
        ends = [
            self.at(self.field.number(it)) for it in (self.field.values[0], self.field.values[-1])
        ]
        more = MARGIN * (ends[1] - ends[0])
        return [ends[0] - more, ends[1] + more]

    @property
    def ticks(self) -> tuple[list[float], list[str]]:
        """Return places and what stands there: every value, or some even numbers of many."""
        numbers = [self.field.number(value) for value in self.field.values]
        if len(numbers) <= MOST_TICKS:
            return [self.at(it) for it in numbers], [
                self.field.said(it) for it in self.field.values
            ]
        shown = _even(numbers[0], numbers[-1], logarithmic=self.zero is not None)
        return [self.at(it) for it in shown], [self.field.render(it) for it in shown]


def scale_of(field: Field) -> Scale:
    """Return the scale that suits a field: logarithmic from a wide range of numbers on."""
    numbers = [field.number(value) for value in field.values]
    positive = [it for it in numbers if it > 0]
    wide = bool(positive) and min(numbers) >= 0 and max(positive) >= LOGARITHMIC * min(positive)
    return Scale(field, math.log10(min(positive)) - 1 if wide else None)


def _even(low: float, high: float, *, logarithmic: bool) -> Sequence[float]:
    if not logarithmic:
        return [low + (high - low) * step / 5 for step in range(6)]
    first = math.floor(math.log10(low)) if low > 0 else math.floor(math.log10(high)) - 6
    powers = range(first, math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if len(powers) <= FEW_DECADES else (1,)
    marks = [step * 10.0**power for power in powers for step in steps]
    return ([0.0] if low <= 0 else []) + [it for it in marks if low <= it <= high][-MOST_TICKS:]
