"""Outages as an alternating renewal process: up for an exponential time, down for a lognormal one.

Pure: hours of the calendar in and out; what a run makes of them is the experiment's affair.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

HOURS_PER_YEAR = 8766.0
"""Of the Julian year of 365.25 days."""
CUT_SIGMA = 0.77
"""Spread of the logarithm of a cut's repair time, whose median is 9 h. Grade C from S."""
SHORT_SIGMA = 0.90
"""The same of short failures, whose median is 32 min. Grade C from S."""
SHORT_H = 2.0
"""Mean hours to repair below which failures are short ones: no truck is sent. Grade X."""
PROTECTION_HIT_NS = 50_000_000
"""What switching to a standby path takes."""


def vendor_mtbf_h(percentile: float) -> float:
    """Return a fibre vendor's mean hours between failures at a percentile (0 to 1). Grade S."""
    return 336.51 * math.exp(3.4371 * percentile)


def vendor_mttr_h(percentile: float) -> float:
    """Return the mean hours to repair of a fibre vendor at a percentile (0 to 1). Grade S."""
    return 1.1345 * math.exp(4.7709 * percentile)


@dataclass(frozen=True)
class Faults:
    """How a span fails.

    Attributes:
        mtbf_h, mttr_h: mean hours between the end of one failure and the next, and to repair.
    """

    mtbf_h: float
    mttr_h: float

    @property
    def unavailability(self) -> float:
        """Return the share of the time that the span is down."""
        return self.mttr_h / (self.mtbf_h + self.mttr_h)

    def with_standby(self) -> Faults:
        """Return how an independent pair of such routes fails: both at once."""
        down = self.unavailability**2
        both_h = self.mttr_h / 2
        return Faults(both_h * (1 - down) / down, both_h)


def draw(
    faults: Faults, hours: float, random: np.random.Generator
) -> Iterator[tuple[float, float]]:
    """Yield ``(begin, end)`` in hours of the failures that begin within ``hours``.

    Times up are exponential with the mean ``mtbf_h``, times down lognormal with the mean
    ``mttr_h`` and the spread of cable cuts, or of short failures.
    """
    sigma = SHORT_SIGMA if faults.mttr_h < SHORT_H else CUT_SIGMA
    location = math.log(faults.mttr_h) - sigma**2 / 2
    begin = random.exponential(faults.mtbf_h)
    while begin < hours:
        end = begin + random.lognormal(location, sigma)
        yield begin, end
        begin = end + random.exponential(faults.mtbf_h)


def draw_hits(per_year: float, hours: float, random: np.random.Generator) -> Iterator[float]:
    """Yield the hours at which a protection switch hits, a Poisson process."""
    if not per_year:
        return
    at = random.exponential(HOURS_PER_YEAR / per_year)
    while at < hours:
        yield at
        at += random.exponential(HOURS_PER_YEAR / per_year)
