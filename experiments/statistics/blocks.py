"""How long blocks of a series must be for a bootstrap to keep its autocorrelation. Pure."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def block_length(series: Floats) -> int:
    """Return the block length of a circular bootstrap that best finds a mean's variance.

    Source: Politis and White, "Automatic block-length selection for the dependent bootstrap",
    Econometric Reviews 23 (2004), section 3.2, with D = 4/3 g(0)^2 (their equation 14, which the
    correction by Patton, Politis and White, 28 (2009), leaves as it is); their limit of a third of
    the series, or three times its root, holds. Series that do not vary get blocks of 1.
    """
    count = len(series)
    correlations = autocorrelations(series, _lags(count))
    if not correlations.size:
        return 1
    lags: int = 2 * _last_correlated(correlations, count)
    lags = min(lags, len(correlations) - 1)
    at = np.arange(1, lags + 1)
    weighed = flat_top(at / max(lags, 1)) * correlations[1 : lags + 1]
    spread = 2 * float(np.sum(at * weighed))
    density = 1 + 2 * float(np.sum(weighed))
    if density <= 0:  # a series that swings back and forth: its mean is better known than alone
        return 1
    best: float = (1.5 * (spread / density) ** 2 * count) ** (1 / 3)
    longest = math.ceil(min(3 * math.sqrt(count), count / 3))
    return max(1, min(math.ceil(best), longest))


def autocorrelations(series: Floats, lags: int) -> Floats:
    """Return the correlations of a series with itself from lag 0 to ``lags``; empty if it is flat.

    Sums are divided by the whole length, which keeps what follows from them positive.
    """
    away = series - series.mean()
    variance = float(away @ away)
    if variance <= 1e-18 * float(series @ series):
        return np.zeros(0)
    return np.array([float(away[: len(away) - k] @ away[k:]) / variance for k in range(lags + 1)])


def flat_top(at: Floats) -> Floats:
    """Return the window that is 1 up to a half and falls to 0 at 1 (Politis and Romano 1995)."""
    window: Floats = np.clip(2 * (1 - np.abs(at)), 0, 1)
    return window


def _near(count: int) -> int:
    """Return how many correlations in a row must be within chance: K_N of the source."""
    return max(5, math.ceil(math.sqrt(math.log10(count)))) if count > 1 else 0


def _lags(count: int) -> int:
    return max(0, min(count - 1, math.ceil(math.sqrt(count)) + _near(count)))


def _last_correlated(correlations: Floats, count: int) -> int:
    """Return the lag after which correlations are within chance; at least 1, as in the source."""
    chance = 2 * math.sqrt(math.log10(count) / count)
    near = _near(count)
    for lag in range(1, len(correlations)):
        if np.all(np.abs(correlations[lag + 1 : lag + 1 + near]) < chance):
            return lag
    return len(correlations) - 1
