"""Which of two is faster, how sure that is, and how much more would have to be measured. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from experiments.statistics.estimate import SURE, Estimate
from experiments.statistics.pooling import pooled
from experiments.statistics.student import student_quantile

DIFFERENCE = 0.03
"""What repetitions of one experiment may differ by; a smaller difference is seldom worth a run."""
POWER = 0.8
"""How likely the measuring that is advised would tell the difference."""
MOST = 10**6
"""More steps, or runs, than anybody would add."""
RIGHT = (1 + SURE) / 2


@dataclass(frozen=True)
class Side:
    """What one of the two did: a throughput in each of its runs.

    Attributes:
        name: what a sentence calls it.
        durations: of each run, how long a step takes on average.
        steps: of each run, that this was found from.
    """

    name: str
    durations: Sequence[Estimate]
    steps: Sequence[int]


@dataclass(frozen=True)
class Comparison:
    """How the throughput of ``a`` compares with that of ``b``.

    Attributes:
        ratio: throughput of ``a`` over that of ``b``.
        low, high: its 95 % interval.
        difference: the ratio less one that more measuring is to tell.
        more_steps: of each, where both have one run; None where runs are what is lacking, or more
            than MOST would be needed.
        more_runs: of each, where there are several.
    """

    a: str
    b: str
    ratio: float
    low: float
    high: float
    difference: float
    more_steps: int | None
    more_runs: int | None

    @property
    def decided(self) -> bool:
        """Return whether one is faster, as sure as the interval is."""
        return self.low > 1 or self.high < 1

    @property
    def winner(self) -> str | None:
        """Return the name of the faster one, where that is decided."""
        return (self.a if self.low > 1 else self.b) if self.decided else None


def compare(
    a: Side, b: Side, *, paired: bool = False, difference: float = DIFFERENCE
) -> Comparison:
    """Compare the throughput of two sides.

    ``paired`` sides are phases of the same runs, in order: what a run does to both cancels, and the
    differences of the runs are what is pooled. Others are pooled each for itself.
    """
    if paired:
        apart = pooled([it - its for it, its in zip(b.durations, a.durations, strict=True)])
    else:
        apart = pooled(b.durations) - pooled(a.durations)
    low, high = apart.interval()
    runs = min(len(a.durations), len(b.durations))
    alone = runs == 1 and len(a.durations) == len(b.durations)
    steps = more_steps(a, b, difference) if alone else None
    repetitions = None if alone else more_runs(apart, runs, difference, paired=paired)
    return Comparison(
        a.name, b.name, apart.value, low, high, difference, more_steps=steps, more_runs=repetitions
    )


def more_steps(a: Side, b: Side, difference: float) -> int | None:
    """Return how many more steps of each of two runs would tell a difference in throughput.

    Told is a difference that the 95 % interval leaves out four times in five: standard errors fall
    with the root of the steps, and must come to log(1 + difference) over the sum of two quantiles
    of Student's t (Lehr, Statistics in Medicine 11, 1992, with the long-run variance). Both
    errors become better known as steps are added.
    """
    freedom = (a.durations[0] - b.durations[0]).freedom
    (own, its), (steps, others) = (a.durations[0].error, b.durations[0].error), (a.steps, b.steps)

    def error(more: int) -> float:
        return math.hypot(
            own * math.sqrt(steps[0] / (steps[0] + more)),
            its * math.sqrt(others[0] / (others[0] + more)),
        )

    def told(more: int) -> bool:
        known = freedom * (1 + more / max(steps[0], others[0]))
        return _reach(known) * error(more) <= math.log1p(difference)

    return _least(told)


def more_runs(apart: Estimate, runs: int, difference: float, *, paired: bool) -> int | None:
    """Return how many more runs of each side would tell a difference in throughput.

    As `more_steps`, with the spread of runs in place of that of steps.
    """
    spread, sides = apart.error * math.sqrt(runs), 1 if paired else 2

    def told(more: int) -> bool:
        if runs + more < 2:
            return False
        reach = _reach(sides * (runs + more - 1))
        return reach * spread / math.sqrt(runs + more) <= math.log1p(difference)

    return _least(told)


def _reach(freedom: float) -> float:
    """Return how many standard errors a difference must be for the power that is wanted."""
    return student_quantile(RIGHT, freedom) + student_quantile(POWER, freedom)


def _least(enough: Callable[[int], bool]) -> int | None:
    """Return the least number that is enough, which every larger one is too; None if it is vast."""
    if enough(0):
        return 0
    high = 1
    while not enough(high):
        if high > MOST:
            return None
        high *= 2
    return bisect_left(range(high), True, lo=high // 2, key=enough)
