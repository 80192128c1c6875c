"""What repetitions of an experiment say together. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from experiments.statistics.estimate import Estimate


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


def mean_of(values: Sequence[float]) -> Estimate | None:
    """Return the mean of positive values that know nothing of each other; None for one alone."""
    if len(values) < 2:
        return None
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values)) / mean
    return Estimate(math.log(mean), error, len(values) - 1)
