"""Where a series has settled: the first steps of a run, or after a change, are often slower. Pure.

The Marginal Standard Error Rule cuts a series where the rest has the least standard error. It knows
nothing of why the steps before were different, and cuts after a stall in the middle just as well;
what is lost must therefore also be one stretch from the beginning, each step of which is out of the
ordinary.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.statistics.student import student_quantile

Floats = NDArray[np.float64]

LEAST_SETTLED = 3
"""What is left must at least say how much steps differ."""
ORDINARY = 0.99
"""Share of further steps like the settled ones that are not called out of the ordinary."""


def warm_up(durations: Floats) -> int:
    """Return how many first steps are warm-up: at most half of all, and often none.

    Source of the cut: White, "An effective truncation heuristic for bias reduction in simulation
    output", Simulation 69 (1997), here on single steps since runs are short (MSER, not MSER-5).
    A step before the cut is warm-up while it lies outside the prediction interval for one step more
    of those after the cut (normal, 99 %), and so do all before it.
    """
    cut = marginal_standard_error_cut(durations)
    if not cut:
        return 0
    rest = durations[cut:]
    least = 1e-9 * rest.mean()  # of steps that are all alike, rounding must not tell any apart
    width = float(rest.std(ddof=1)) * np.sqrt(1 + 1 / len(rest))
    width *= student_quantile((1 + ORDINARY) / 2, len(rest) - 1)
    odd = np.abs(durations[:cut] - rest.mean()) > max(width, least)
    return cut if odd.all() else int(np.argmin(odd))


def marginal_standard_error_cut(durations: Floats) -> int:
    """Return the cut, at most half of the series, after which the mean is known best."""
    count = len(durations)
    most = min(count // 2, count - LEAST_SETTLED)
    if most < 1:
        return 0
    # sums over what is left, from the end: all cuts in one pass; centred, to keep digits
    away = durations - durations.mean()
    left = count - np.arange(count)
    sums = np.cumsum(away[::-1])[::-1]
    squares = np.cumsum(away[::-1] ** 2)[::-1]
    scores = (squares - sums**2 / left) / left.astype(float) ** 2
    return int(np.argmin(np.maximum(scores[: most + 1], 0)))


def settled(durations: Floats, period: int = 1) -> int:
    """Return the first step from which a series counts as settled.

    Where every ``period`` steps are alike only as a whole (ranks meet in one of them), whole
    periods are judged, and what exceeds whole periods is left out too: a mean over three and a half
    would count a meeting too many or too few. Less than one period is taken as it is.
    """
    whole = len(durations) // period
    if period == 1 or not whole:
        return warm_up(durations) if period == 1 else 0
    over = len(durations) - whole * period
    return over + period * warm_up(durations[over:].reshape(whole, period).mean(axis=1))
