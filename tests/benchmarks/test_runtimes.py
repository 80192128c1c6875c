from __future__ import annotations

import pytest

from benchmarks.runtimes import difference, overlap


def test_pairs_that_are_apart_alike_leave_no_doubt():
    apart, reach = difference([1.0, 2.0, 3.0], [1.5, 2.5, 3.5])
    assert apart == pytest.approx(0.5)
    assert reach == pytest.approx(0)


def test_the_interval_is_students():
    # Differences 1, 2, 3: mean 2, deviation 1; t(0.975, 2) = 4.302653.
    apart, reach = difference([0.0, 0.0, 0.0], [1.0, 2.0, 3.0])
    assert apart == pytest.approx(2)
    assert reach == pytest.approx(4.302653 / 3**0.5)


def test_intervals_that_touch_overlap():
    assert overlap((0, 1), (1, 2))
    assert overlap((0, 3), (1, 2))
    assert not overlap((0, 1), (1.01, 2))
