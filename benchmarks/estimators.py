"""What samples say: deviations, errors and intervals. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, pairwise
from statistics import fmean

from scipy import stats

from topologies.linkstate import Loss


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation of a sample."""
    mean = fmean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def successive_difference(values: Sequence[float]) -> float:
    """Return the mean absolute difference of neighbours: jitter as RFC 3550 smooths it.

    Of independent normal values it is 2 / sqrt(pi) = 1.128 standard deviations.
    """
    return fmean(abs(after - before) for before, after in pairwise(values))


def root_mean_square(errors: Sequence[float]) -> float:
    """Return the root of the mean square, such as of measured minus target."""
    return math.sqrt(fmean(error * error for error in errors))


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that is not exceeded by ``share`` of the values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def binomial_interval(count: int, probability: float, confidence: float) -> tuple[int, int]:
    """Return the counts of successes between which all but ``1 - confidence`` of draws fall."""
    low, high = stats.binom.interval(confidence, count, probability)
    return int(low), int(high)


def two_state_interval(
    count: int, probability: float, clustering: float, confidence: float
) -> tuple[float, float]:
    """Return the same for losses that cluster: the variance is ``clustering`` times as large."""
    reach = stats.norm.ppf((1 + confidence) / 2)
    half = reach * math.sqrt(count * probability * (1 - probability) * clustering)
    return count * probability - half, count * probability + half


def bursts(lost: Sequence[bool]) -> list[int]:
    """Return the lengths of the runs of lost frames."""
    return [sum(1 for _ in run) for is_lost, run in groupby(lost) if is_lost]


def mean_burst(loss: Loss) -> float:
    """Return the mean length of a run of losses of a two-state channel.

    A run begins with a loss after a frame that was not lost; in equilibrium the share of losses
    divided by the share of such beginnings.
    """
    cycle = loss.enter + loss.leave
    bad = loss.enter / cycle if cycle else 0.0
    states = ((1 - bad, loss.good), (bad, loss.bad))
    turns = ((1 - loss.enter, loss.enter), (loss.leave, 1 - loss.leave))
    lost = sum(share * probability for share, probability in states)
    begun = sum(
        share * (1 - probability) * turns[here][there] * states[there][1]
        for here, (share, probability) in enumerate(states)
        for there in range(2)
    )
    return lost / begun
