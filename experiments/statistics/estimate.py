"""How well the mean of a series of durations is known, its autocorrelation respected. Pure.

All is done with logarithms: throughputs are compared by their ratio, which is a difference there,
and durations, which cannot be negative and have long tails, are less lopsided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from experiments.statistics.blocks import autocorrelations, block_length
from experiments.statistics.student import student_quantile

Floats = NDArray[np.float64]

SURE = 0.95
LEAST_CORRELATED = 8
"""Of fewer values, nothing can be said about how they follow from each other."""
MOST_CORRELATED = 0.95


@dataclass(frozen=True)
class Estimate:
    """The logarithm of a mean, or of a ratio of means, and what is known of its error.

    Attributes:
        log: natural logarithm of the mean.
        error: its standard error; 0 where nothing varied.
        freedom: degrees of freedom that the error itself is known with.
    """

    log: float
    error: float
    freedom: float

    @property
    def value(self) -> float:
        """Return the mean, or the ratio, itself."""
        return math.exp(self.log)

    def __sub__(self, other: Estimate) -> Estimate:
        """Return the logarithm of the ratio to another mean, which was measured independently.

        Degrees of freedom: Welch, Biometrika 34 (1947), by Satterthwaite's formula.
        """
        error = math.hypot(self.error, other.error)
        parts = (self.error, self.freedom), (other.error, other.freedom)
        shares = sum((it / error) ** 4 / freedom for it, freedom in parts) if error else 0.0
        return Estimate(self.log - other.log, error, 1 / shares if shares else math.inf)

    def around(self, mean: float) -> Estimate:
        """Return the same error around another mean."""
        return replace(self, log=math.log(mean))

    def interval(self, sure: float = SURE) -> tuple[float, float]:
        """Return the interval of the mean, or the ratio, itself, by Student's t."""
        reach = student_quantile((1 + sure) / 2, self.freedom) * self.error
        return math.exp(self.log - reach), math.exp(self.log + reach)


def estimate(durations: Floats, period: int = 1) -> Estimate | None:
    """Return how well the mean of a series is known; None for one value, which says nothing.

    Every ``period`` steps belong together: with two whole periods or more, whole periods are the
    values, so that blocks are multiples of one. With fewer, the step in which ranks meet is taken
    for chance, and the interval is too wide rather than too narrow.
    """
    whole = len(durations) // period
    if period > 1 and whole >= 2:
        over = len(durations) - whole * period
        found = estimate(durations[over:].reshape(whole, period).mean(axis=1))
        return found.around(float(durations.mean())) if found else None
    count = len(durations)
    if count < 2:
        return None
    mean = float(durations.mean())
    block = block_length(durations) if count >= LEAST_CORRELATED else 1
    error = standard_error(durations, block) / mean
    return Estimate(math.log(mean), error, freedom_of(count, block))


def standard_error(series: Floats, block: int) -> float:
    """Return the standard error of a mean of autocorrelated values.

    The larger of two. One is what resamples of a circular block bootstrap show (Politis and Romano
    1992): not drawn, since for a mean all of them together have a closed form, and raised by what
    that is too small by, the share of a block in the series. In short series blocks are too short
    for strong autocorrelation, which a first-order autoregression sees better (Andrews and
    Monahan, Econometrica 60, 1992), its coefficient freed from its bias (Kendall, Biometrika 41,
    1954); that is the other.
    """
    count = len(series)
    by_blocks = block_variance(series, block) * count / (count - block)
    correlations = autocorrelations(series, 1)
    if count < LEAST_CORRELATED or not correlations.size:
        return math.sqrt(by_blocks)
    first = (count * float(correlations[1]) + 1) / (count - 3)
    first = min(max(first, 0.0), MOST_CORRELATED)
    by_first = float(series.var(ddof=1)) * (1 + first) / (1 - first) / count
    return math.sqrt(max(by_blocks, by_first))


def block_variance(series: Floats, block: int) -> float:
    """Return the variance of the mean over all circular resamples in blocks of that length."""
    wrapped = np.concatenate([series, series[: block - 1]])
    means = np.convolve(wrapped, np.full(block, 1 / block), "valid")
    return block / len(series) * float(np.mean((means - series.mean()) ** 2))


def freedom_of(count: int, block: int) -> float:
    """Return the degrees of freedom of a standard error from overlapping blocks.

    Those of a spectral estimate by Bartlett's window, which it is (Kuensch, Annals of Statistics
    17, 1989): 2 over its relative variance, less one for the mean.
    """
    return max(1.0, 3 * count * block / (2 * block**2 + 1) - 1)
