"""The shape of a jitter as one table of quantiles, so that every back end draws from the same."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from statistics import NormalDist

from topologies.errors import NetworkError
from topologies.linkstate import Jitter

POINTS = 1025
"""Quantiles in a table: the last stretch of a distribution is drawn once in 1,024 frames."""

NORMAL_LIMIT = 4.0
"""Deviations at which the normal distribution is cut off: beyond it lies one frame in 16,000."""
PARETO_INDEX = 3.0
PARETO_BEYOND = 1e-4
"""Share of frames beyond the cut of the Pareto distribution, whose variance ends slowly."""


@lru_cache(maxsize=64)
def quantiles(jitter: Jitter, points: int = POINTS) -> tuple[int, ...]:
    """Return the jitter's delay (ns, relative to the mean) at equal steps of u from 0 to 1.

    A uniformly drawn u, interpolated linearly between its two neighbours, has the mean 0 and the
    standard deviation that the jitter asks for: what the cut and the steps take off is put back.
    Raises NetworkError where a table's values are all the same.
    """
    steps = points - 1
    shape = [_shape(jitter, step / steps) for step in range(points)]
    pairs = list(pairwise(shape))
    mean = math.fsum(a + b for a, b in pairs) / (2 * steps)
    centred = [(a - mean, b - mean) for a, b in pairs]
    # The second moment of a straight line from a to b is (a^2 + ab + b^2) / 3.
    variance = math.fsum(a * a + a * b + b * b for a, b in centred) / (3 * steps)
    if variance <= 0:
        raise NetworkError("a jitter table needs delays that differ")
    scale = jitter.deviation_ns / math.sqrt(variance)
    return tuple(round((value - mean) * scale) for value in shape)


def _shape(jitter: Jitter, u: float) -> float:
    """Return the quantile at u, of any mean and deviation."""
    if jitter.distribution == "uniform":
        return u
    if jitter.distribution == "normal":
        normal = NormalDist()
        edge = normal.cdf(-NORMAL_LIMIT)
        return normal.inv_cdf(edge + u * (1 - 2 * edge))
    if jitter.distribution == "pareto":
        return float((1 - u * (1 - PARETO_BEYOND)) ** (-1 / PARETO_INDEX))
    # A sample is stepped through, not smoothed: two delays seen are two delays drawn.
    ordered = sorted(jitter.table_ns)
    return float(ordered[min(len(ordered) - 1, int(u * len(ordered)))])
