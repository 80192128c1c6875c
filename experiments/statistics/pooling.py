"""What repetitions of an experiment say together. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from experiments.statistics.estimate import SURE, Estimate
from experiments.statistics.student import student_quantile


def pooled(found: Sequence[Estimate]) -> Estimate:
    """Return the mean of repetitions' estimates; of one repetition, that one.

    Random effects: what a run finds is off by its own steps and by what the machine and the seed
    do to the whole run. The spread of the runs' estimates holds both, so Student's t over runs
    covers both, however many steps a run has. A bootstrap over runs would not with few of them
    (Cameron, Gelbach and Miller, Review of Economics and Statistics 90, 2008, find it too narrow
    below some thirty), and with many it gives the same. All runs weigh alike: they are as long as
    each other, and weights that are estimated themselves spoil the coverage. Runs that agree
    better than their own steps allow have done so by chance: the interval is at least what the
    steps leave (in the manner of Knapp and Hartung, Statistics in Medicine 22, 2003).
    """
    assert found, "somebody must have measured something"
    runs = len(found)
    if runs == 1:
        return found[0]
    log = float(np.mean([it.log for it in found]))
    spread = float(np.std([it.log for it in found], ddof=1))
    between = Estimate(log, spread / math.sqrt(runs), runs - 1)
    error = math.sqrt(sum(it.error**2 for it in found)) / runs
    within = Estimate(log, error, sum(it.freedom for it in found))
    return max(between, within, key=lambda it: it.interval()[1])


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the interval of the mean of positive values that know nothing of each other.

    By Student's t, of the values themselves: two that are far apart would stretch an interval of
    logarithms beyond all sense. None for fewer than two values.
    """
    if len(values) < 2:
        return None
    mean, freedom = float(np.mean(values)), len(values) - 1
    reach = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    reach *= student_quantile((1 + SURE) / 2, freedom)
    return max(0.0, mean - reach), mean + reach
