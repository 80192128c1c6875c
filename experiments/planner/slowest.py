"""What a step computes when all wait for the slowest rank. Pure.

Ranks differ by the speed of their accelerators, by the spread of a step's time and by straggling.
Nobody goes on before all have met, so what counts is the largest of their times, whose mean lies
above the mean time. It is taken over many draws of the same distributions that ranks draw from:
there is no formula for the largest of differing ones.

What this leaves out: a step's communication hides behind compute the better, the longer that
takes, so that the mean step is a little longer than the step of mean compute.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workloads.variation import Variation

DRAWS = 4000
"""Meetings drawn: their mean is good to a thousandth even of times that vary by a tenth."""
SEED = 0


def slowest_compute_s(
    compute_s: float, variation: Variation, speeds: Sequence[float], period: int = 1
) -> float:
    """Return the mean compute of a step, in seconds, of all ranks that meet every ``period`` steps.

    Between two meetings each rank goes its own pace, so that long and short steps even out.
    """
    if variation == Variation():
        return compute_s / min(speeds)
    random = np.random.default_rng(SEED)
    passed = np.zeros((DRAWS, len(speeds)))
    for _ in range(period):
        passed += variation.factors(random, passed.shape)
    return compute_s * float((passed / np.array(speeds)).max(axis=1).mean()) / period
