"""Block lengths against what theory says of series whose autocorrelation is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.coverage import autoregressive, independent
from experiments.statistics.blocks import autocorrelations, block_length, flat_top


def best(correlation: float, count: int) -> float:
    """Of an AR(1), G over g(0) is 2 r / (1 - r^2), put into b = (2 G^2 n / D)^(1/3)."""
    return float(np.cbrt(1.5 * (2 * correlation / (1 - correlation**2)) ** 2 * count))


@pytest.mark.parametrize(("correlation", "count"), [(0.7, 200), (0.7, 800), (0.3, 800)])
def test_blocks_are_near_the_best_of_an_autoregression(correlation: float, count: int) -> None:
    random = np.random.default_rng(0)
    found = [block_length(autoregressive(correlation)(random, count)) for _ in range(200)]
    # Politis and White's own simulations scatter by a third around the theory; the median less
    assert np.median(found) == pytest.approx(best(correlation, count), rel=0.35)


def test_blocks_of_what_is_correlated_grow_with_the_root_of_the_third_degree() -> None:
    random = np.random.default_rng(1)
    short, long = (
        np.mean([block_length(autoregressive(0.7)(random, count)) for _ in range(100)])
        for count in (300, 2400)
    )
    assert long / short == pytest.approx(2, rel=0.25)


def test_independent_steps_need_no_blocks() -> None:
    random = np.random.default_rng(2)
    found = [block_length(independent(random, 400)) for _ in range(200)]
    assert np.median(found) <= 2


def test_no_block_is_longer_than_a_third_of_the_series() -> None:
    random = np.random.default_rng(3)
    for count in range(2, 40):
        found = block_length(np.cumsum(random.standard_normal(count)))
        assert 1 <= found <= max(1, -(-count // 3))


@pytest.mark.parametrize("steps", [[5.0], [5.0, 5.0], [0.1] * 50])
def test_steps_that_do_not_vary_have_no_correlation(steps: list[float]) -> None:
    assert block_length(np.array(steps)) == 1
    assert autocorrelations(np.array(steps), 3).size == 0


def test_the_window_is_flat_and_then_falls() -> None:
    assert flat_top(np.array([0.0, 0.5, 0.75, 1.0, 2.0])).tolist() == [1, 1, 0.5, 0, 0]
