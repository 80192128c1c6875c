"""Intervals hold the truth as often as they say, and say so where they cannot know."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom
from scipy.stats import t as student

from benchmarks.coverage import PERIOD, SERIES, coverage, covered, independent, meeting
from experiments.statistics.estimate import Estimate, block_variance, estimate, standard_error
from experiments.statistics.median import median_estimate, resamples

TRIALS = 1500
NEAR = 0.03
"""What the true coverage may be off by; the table in docs/how-it-works.md shows it."""


def bounds(trials: int = TRIALS) -> tuple[float, float]:
    """How many of the trials hold the truth, 1 in 10,000 left out on either side."""
    return binom.ppf(1e-4, trials, 0.95 - NEAR), binom.ppf(1 - 1e-4, trials, 0.95 + NEAR)


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("independent", 20),
        ("independent", 50),
        ("AR(1), 0.3", 50),
        ("AR(1), 0.6", 200),
        ("lognormal, sigma 1", 50),
        ("every tenth a meeting", 50),
        ("every tenth a meeting", 200),
    ],
)
def test_intervals_cover_the_mean(kind: str, count: int) -> None:
    held = coverage(SERIES[kind], count, np.random.default_rng(1), TRIALS) * TRIALS
    least, most = bounds()
    assert least <= held <= most


def test_the_same_trials_find_out_intervals_that_neglect_autocorrelation() -> None:
    random, held = np.random.default_rng(1), 0
    for _ in range(300):
        steps = SERIES["AR(1), 0.6"].draw(random, 200)
        reach = student.ppf(0.975, 199) * steps.std(ddof=1) / 200**0.5
        held += abs(steps.mean() - 1) <= reach
    assert held < bounds(300)[0]


def test_the_same_trials_show_intervals_that_neglect_the_period() -> None:
    random, neglect, respect = np.random.default_rng(1), 0.0, 0.0
    for _ in range(100):
        steps = meeting(random, 50)
        one, other = estimate(steps), estimate(steps, PERIOD)
        assert one and other
        neglect, respect = neglect + one.error, respect + other.error
    assert neglect > 2 * respect, "far too wide"


def test_intervals_cover_the_median() -> None:
    random = np.random.default_rng(2)
    held = sum(covered(median_estimate(independent(random, 50), random), 1.0) for _ in range(300))
    least, most = bounds(300)
    assert least <= held <= most


def test_intervals_cover_the_ratio_of_two_means() -> None:
    random, held = np.random.default_rng(3), 0
    for _ in range(TRIALS):
        reference = estimate(SERIES["AR(1), 0.3"].draw(random, 40))
        phase = estimate(2 * independent(random, 20))
        assert reference and phase
        held += covered(reference - phase, 0.5)
    least, most = bounds()
    assert least <= held <= most


def test_the_variance_of_all_resamples_is_that_of_many() -> None:
    random = np.random.default_rng(5)
    steps = SERIES["AR(1), 0.6"].draw(random, 60)  # a multiple of the block: resamples are whole
    means = np.concatenate([it.mean(axis=(1, 2)) for it in resamples(steps, 5, random)])
    # 1000 draws know a variance to sqrt(2 / 1000) of it; 4 sigma
    assert means.var() == pytest.approx(block_variance(steps, 5), rel=4 * math.sqrt(2 / 1000))


def test_independent_steps_have_the_textbook_error() -> None:
    steps = np.array([1.0, 2.0, 4.0, 3.0, 2.5])
    assert standard_error(steps, 1) == pytest.approx(steps.std(ddof=1) / 5**0.5)
    found = estimate(steps)
    assert found
    assert found.value == pytest.approx(2.5)
    assert found.freedom == 4


def test_one_step_says_nothing_of_its_error() -> None:
    assert estimate(np.array([5.0])) is None
    assert median_estimate(np.array([5.0]), np.random.default_rng(0)) is None


def test_equal_steps_leave_nothing_uncertain() -> None:
    for count in (2, 7, 8, 50):
        steps = np.full(count, 0.1)
        for found in (estimate(steps), median_estimate(steps, np.random.default_rng(0))):
            assert found
            assert found.interval() == pytest.approx((0.1, 0.1))
            assert (found - found).interval() == pytest.approx((1, 1))


def test_whole_periods_are_what_is_resampled() -> None:
    cycle = [1.0] * (PERIOD - 1) + [11.0]
    found = estimate(np.array(cycle * 5), PERIOD)
    assert found
    assert found.interval() == pytest.approx((2, 2)), "every period is the same"
    alone = estimate(np.array(cycle), PERIOD)
    assert alone
    assert alone.interval()[0] < 1.5, "one meeting says nothing of the next"


def test_ratios_have_the_freedom_that_welch_gives_them() -> None:
    apart = Estimate(0.0, 0.1, 4) - Estimate(0.0, 0.1, 4)
    assert apart.error == pytest.approx(0.1 * 2**0.5)
    assert apart.freedom == pytest.approx(8)
    sure = Estimate(0.0, 0.1, 4) - Estimate(0.0, 0.0, 9)
    assert sure.freedom == pytest.approx(4)


def test_a_long_series_is_resampled_in_parts() -> None:
    random = np.random.default_rng(0)
    parts = list(resamples(np.arange(5_000.0), 7, random))
    assert len(parts) > 1
    assert sum(len(part) for part in parts) == 1000
