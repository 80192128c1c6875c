"""The shapes of jitter as tables of quantiles, which both back ends draw from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from statistics import NormalDist

from topologies.linkstate import Jitter

POINTS = 1025
_NORMAL_CUT = 4.0
"""Standard deviations at which the normal distribution ends."""
_PARETO_INDEX = 3.0
_PARETO_CUT = 1 / 4096
"""Share of its tail that is cut off."""


@lru_cache(maxsize=64)
def quantiles(jitter: Jitter, points: int = POINTS) -> tuple[int, ...]:
    """Return the delays (ns, less their mean) at ``points`` equally spaced probabilities 0 to 1.

    Drawn with linear interpolation between neighbours, they have mean zero and the jitter's
    standard deviation.
    """
    raw = [_shape(jitter)(index / (points - 1)) for index in range(points)]
    mean = sum(a + b for a, b in pairwise(raw)) / 2 / (points - 1)
    centred = [value - mean for value in raw]
    square = sum(a * a + a * b + b * b for a, b in pairwise(centred)) / 3 / (points - 1)
    scale = jitter.deviation_ns / math.sqrt(square)
    return tuple(round(value * scale) for value in centred)


def _shape(jitter: Jitter) -> Callable[[float], float]:
    shapes: dict[str, Callable[[float], float]] = {
        "normal": _normal,
        "uniform": lambda u: u,
        "pareto": lambda u: max(1 - u, _PARETO_CUT) ** (-1 / _PARETO_INDEX),
    }
    if jitter.distribution == "table":
        return lambda u: _of_sample(sorted(jitter.table_ns), u)
    return shapes[jitter.distribution]


def _normal(u: float) -> float:
    if u in (0.0, 1.0):
        return math.copysign(_NORMAL_CUT, u - 0.5)
    return NormalDist().inv_cdf(u)


def _of_sample(ordered: Sequence[float], u: float) -> float:
    place = u * (len(ordered) - 1)
    low = min(int(place), len(ordered) - 2)
    return ordered[low] + (ordered[low + 1] - ordered[low]) * (place - low)
