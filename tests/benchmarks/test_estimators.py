from __future__ import annotations

import math
import random
import statistics

import pytest

from benchmarks import published
from benchmarks.estimators import (
    binomial_interval,
    bursts,
    deviation,
    mean_burst,
    quantile,
    root_mean_square,
    successive_difference,
    two_state_interval,
)
from topologies.linkstate import Loss


def test_deviation_is_that_of_a_sample():
    values = [1.0, 2.0, 4.0, 8.0]
    assert deviation(values) == pytest.approx(statistics.stdev(values))


def test_neighbours_of_a_normal_sample_differ_by_two_over_root_pi():
    draw = random.Random(1)
    sample = [draw.gauss(10, 3) for _ in range(100_000)]
    ratio = successive_difference(sample) / deviation(sample)
    assert ratio == pytest.approx(2 / math.sqrt(math.pi), rel=0.01)


def test_root_mean_square_of_the_published_jitters():
    errors = [
        (row["kollaps_jitter_ms"] or 0) - (row["target_jitter_ms"] or 0)
        for row in published.rows("jitter")
    ]
    assert root_mean_square(errors) == pytest.approx(0.176, abs=0.0005)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 2), (0.75, 3), (1.0, 4)])
def test_quantile(share, expected):
    assert quantile([4, 2, 3, 1], share) == expected


def test_binomial_interval_holds_all_but_a_thousandth():
    low, high = binomial_interval(10_000, 0.01, 0.999)
    assert low == pytest.approx(100 - 3.29 * math.sqrt(99), abs=2)
    assert high == pytest.approx(100 + 3.29 * math.sqrt(99), abs=2)


def test_clustered_losses_have_a_wider_interval():
    low, high = two_state_interval(10_000, 0.01, 1.0, 0.999)
    lower, higher = two_state_interval(10_000, 0.01, 4.0, 0.999)
    assert (high - low) * 2 == pytest.approx(higher - lower)


def test_bursts():
    assert bursts([True, False, True, True, False, False, True]) == [1, 2, 1]
    assert bursts([False]) == []


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (Loss(0.25), 4 / 3),  # 1 / (1 - p)
        (Loss(0.0, bad=1.0, enter=0.01, leave=0.2), 5),  # 1 / leave
    ],
)
def test_mean_burst(loss, expected):
    assert mean_burst(loss) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["shaping", "jitter", "loss"])
def test_published_figures_are_numbers_with_a_source(name):
    rows = published.rows(name)
    assert len(rows) >= 3
    assert len({tuple(row) for row in rows}) == 1


def test_an_empty_cell_was_not_measured():
    assert published.rows("shaping")[-1]["mininet"] is None
