"""Whether something grew while it was looked at again and again: a slope and its interval. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES, CONFIDENCE = 400, 0.95
BLOCKS = 8
"""Into so many stretches residuals are cut to be drawn again: what follows close upon each other is
alike, so that single ones would promise too much."""


@dataclass(frozen=True)
class Growth:
    """How something changed over time.

    Attributes:
        size: in the mean.
        per_min: by how much it grew in a minute, by Theil and Sen, and the interval of that.
        lasted_min: the time that was looked at.
    """

    size: float
    per_min: float
    low: float
    high: float
    lasted_min: float

    def is_flat(self, share: float, least: float, over_min: float) -> bool:
        """Return whether it is within noise, or would not matter within ``over_min`` minutes.

        What matters is more than ``share`` of its size and more than ``least``.
        """
        matters = max(share * self.size, least)
        return self.low <= 0 or self.low * over_min <= matters


def growth(times_s: ArrayLike, values: ArrayLike, seed: int = 0) -> Growth:
    """Fit a line by Theil and Sen, and bootstrap it by blocks of its residuals.

    Sources: Sen, Estimates of the regression coefficient based on Kendall's tau, JASA 63 (1968);
    Kuensch, The jackknife and the bootstrap for general stationary observations, Ann. Stat. 17
    (1989).
    """
    at, seen = np.asarray(times_s, float) / 60, np.asarray(values, float)
    slope = _slope(at, seen)
    level = float(np.median(seen - slope * at))
    residuals = seen - level - slope * at
    length = max(1, len(at) // BLOCKS)
    draws = np.random.default_rng(seed)
    starts = np.arange(len(at) - length + 1)
    slopes = []
    for _ in range(RESAMPLES):
        chosen = draws.choice(starts, -(-len(at) // length))
        drawn = np.concatenate([residuals[it : it + length] for it in chosen])[: len(at)]
        slopes.append(_slope(at, level + slope * at + drawn))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(slopes, (tail, 1 - tail))
    return Growth(float(seen.mean()), slope, float(low), float(high), float(at[-1] - at[0]))


def _slope(at: np.ndarray, seen: np.ndarray) -> float:
    first, second = np.triu_indices(len(at), k=1)
    return float(np.median((seen[second] - seen[first]) / (at[second] - at[first])))
