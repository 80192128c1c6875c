"""Repetitions say more than one run, but never that runs are more alike than they are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.coverage import covered, independent, runs_coverage
from experiments.statistics.estimate import Estimate, estimate
from experiments.statistics.pooling import mean_interval, pooled

TRIALS = 400


def width(found: Estimate) -> float:
    low, high = found.interval()
    return high / low - 1


def test_one_repetition_is_itself() -> None:
    alone = Estimate(1.0, 0.1, 5)
    assert pooled([alone]) is alone


def test_what_differs_between_runs_widens_the_interval() -> None:
    alike = pooled([Estimate(it, 0.01, 20) for it in (0.0, 0.001, -0.001, 0.0)])
    apart = pooled([Estimate(it, 0.01, 20) for it in (0.0, 0.1, -0.1, 0.0)])
    assert apart.error == pytest.approx(np.std([0, 0.1, -0.1, 0], ddof=1) / 2)
    assert alike.error == pytest.approx(0.01 / 2), "no more alike than their steps can tell"
    assert width(apart) > 5 * width(alike)


@pytest.mark.parametrize(("runs", "between"), [(2, 0.05), (3, 0.05), (5, 0.02), (10, 0.05)])
def test_pooled_intervals_cover_the_mean_of_runs(runs: int, between: float) -> None:
    held = TRIALS * runs_coverage(runs, 20, between, np.random.default_rng(1), TRIALS)
    assert binom.ppf(1e-4, TRIALS, 0.94) <= held <= binom.ppf(1 - 1e-4, TRIALS, 0.98)


def test_the_same_trials_find_out_steps_that_are_thrown_together() -> None:
    random, held = np.random.default_rng(1), 0
    for _ in range(300):
        shifts = np.exp(0.05 * random.standard_normal(3))
        steps = np.concatenate([shift * independent(random, 20) for shift in shifts])
        held += covered(estimate(random.permutation(steps)), 1.0)
    assert held < binom.ppf(1e-4, 300, 0.94)


def test_events_have_an_interval_and_one_event_has_none() -> None:
    reach = 4.303 / 3**0.5  # Student's t with two degrees of freedom, a deviation of 1
    assert mean_interval([4.0, 5.0, 6.0]) == pytest.approx((5 - reach, 5 + reach), rel=1e-3)
    assert mean_interval([0.5, 1.5]) == pytest.approx((0, 1 + 12.706 / 2), rel=1e-3)
    assert mean_interval([1.0]) is None
    assert mean_interval([]) is None
