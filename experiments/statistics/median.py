"""How well the median of a series of durations is known. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from experiments.statistics.blocks import block_length
from experiments.statistics.estimate import (
    LEAST_CORRELATED,
    Estimate,
    block_variance,
    freedom_of,
    standard_error,
)

Floats = NDArray[np.float64]

DRAWS = 1000
AT_ONCE = 2**21
"""Values that are resampled at once."""


def median_estimate(
    durations: Floats, random: np.random.Generator, period: int = 1
) -> Estimate | None:
    """Return how well the median of a series is known; None for one value, which says nothing.

    Its standard error is that of the medians of circular block resamples, raised as the mean's is
    (see `estimate.standard_error`). Where two whole periods or more were seen, blocks are whole
    periods; its mean over periods then tells how much to raise.
    """
    count = len(durations)
    if count < 2:
        return None
    block = block_length(durations) if count >= LEAST_CORRELATED else 1
    raised = standard_error(durations, block) / math.sqrt(block_variance(durations, block) or 1)
    freedom = freedom_of(count, block)
    if period > 1 and count >= 2 * period:
        block, raised, freedom = period, 1.0, count // period - 1
    medians = [
        np.median(drawn.reshape(len(drawn), -1)[:, :count], axis=1)
        for drawn in resamples(durations, block, random)
    ]
    error = float(np.log(np.concatenate(medians)).std())
    return Estimate(math.log(float(np.median(durations))), error * raised, freedom)


def resamples(series: Floats, block: int, random: np.random.Generator) -> Iterator[Floats]:
    """Yield DRAWS resamples of a series that is closed to a circle: (draw, block, step).

    They come in several arrays, so that a long series takes no more memory than a short one.
    """
    count = len(series)
    blocks = -(-count // block)
    at_once = max(1, AT_ONCE // count)
    for begin in range(0, DRAWS, at_once):
        draws = min(at_once, DRAWS - begin)
        begins = random.integers(0, count, size=(draws, blocks))
        yield series[(begins[:, :, None] + np.arange(block)) % count]
