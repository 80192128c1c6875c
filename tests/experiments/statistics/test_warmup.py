"""Warm-up is found at the beginning, and nothing that happens later is taken for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from benchmarks.coverage import independent
from experiments.statistics.warmup import marginal_standard_error_cut, settled, warm_up


def found(*durations: float) -> int:
    return warm_up(np.array(durations))


def noisy(*durations: float) -> list[float]:
    random = np.random.default_rng(0)
    return [duration + random.normal(0, 1) for duration in durations]


def test_the_cut_is_where_the_rest_has_the_least_standard_error() -> None:
    durations = np.array(noisy(300, 200, *[100] * 12))
    scores = [durations[cut:].var() / (len(durations) - cut) for cut in range(8)]
    assert marginal_standard_error_cut(durations) == int(np.argmin(scores))


def test_slow_first_steps_are_warm_up() -> None:
    assert found(*noisy(524, *[457] * 11)) == 1
    assert found(*noisy(300, 180, 120, *[100] * 10)) == 3
    assert found(*noisy(60, *[100] * 10)) == 1, "so are fast ones"


def test_a_stall_in_the_middle_is_not() -> None:
    stalled = noisy(*[100] * 8, 2000, *[100] * 20)
    assert marginal_standard_error_cut(np.array(stalled)) >= 9, "the published rule alone cuts it"
    assert found(*stalled) == 0
    assert found(*noisy(300, *[100] * 8, 2000, *[100] * 20)) == 1, "and hides no warm-up before it"


def test_a_restart_in_the_second_half_is_not() -> None:
    assert found(*noisy(*[100] * 8, 5000, *[100] * 4)) == 0


def test_of_few_steps_nothing_can_be_told() -> None:
    assert found(500, 100, 100) == 0
    assert found(500, 100, 110, 105) == 1
    assert found(110, 100, 104, 102) == 0


def test_steps_that_are_all_alike_have_settled() -> None:
    assert found(*[0.1] * 30) == 0
    assert found(0.3, *[0.1] * 30) == 1


@given(st.lists(st.floats(1e-3, 1e6), max_size=60), st.integers(1, 12))
def test_at_most_half_is_warm_up_but_for_what_exceeds_whole_periods(
    durations: list[float], period: int
) -> None:
    first = settled(np.array(durations), period)
    over = len(durations) % period if period <= len(durations) else 0
    assert 0 <= first - over <= len(durations) // 2
    assert period > len(durations) or (len(durations) - first) % period == 0


def test_steps_that_have_settled_seldom_lose_any() -> None:
    random = np.random.default_rng(4)
    lost = sum(warm_up(independent(random, 20)) > 0 for _ in range(1000))
    # a step is called odd once in a hundred; the rule looks where the rest is calmest: 4 in 100
    assert lost <= binom.ppf(0.9999, 1000, 0.04)


def test_the_step_in_which_ranks_meet_is_not_warm_up() -> None:
    cycle = [500.0, 100.0, 100.0, 100.0]
    assert settled(np.array(cycle * 5), period=4) == 0
    assert settled(np.array(cycle * 5 + [500.0]), period=4) == 1, "whole periods are left"
    assert settled(np.array([900.0, 150.0, 150.0, 150.0, *cycle * 6]), period=4) == 4
    assert settled(np.array(cycle), period=10) == 0


@pytest.mark.parametrize("count", [0, 1])
def test_no_steps(count: int) -> None:
    assert settled(np.ones(count)) == 0
