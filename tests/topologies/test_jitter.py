"""One table of quantiles per jitter: its mean, deviation and shape."""

from __future__ import annotations

import random
import statistics
from itertools import pairwise

import pytest

from topologies.errors import NetworkError
from topologies.jitter import quantiles
from topologies.linkstate import Jitter

MS = 10**6
SHAPES = [
    Jitter(MS),
    Jitter(MS, "uniform"),
    Jitter(MS, "pareto"),
    Jitter.from_table((1 * MS, 2 * MS, 2 * MS, 9 * MS)),
]


def moments(table: tuple[int, ...]) -> tuple[float, float]:
    """Return mean and standard deviation of what linear interpolation draws."""
    pairs = list(pairwise(table))
    mean = sum(a + b for a, b in pairs) / (2 * len(pairs))
    second = sum(a * a + a * b + b * b for a, b in pairs) / (3 * len(pairs))
    return mean, (second - mean**2) ** 0.5


@pytest.mark.parametrize("jitter", SHAPES, ids=lambda jitter: jitter.distribution)
@pytest.mark.parametrize("points", [1025, 257])
def test_mean_and_deviation_are_those_asked_for(jitter: Jitter, points: int) -> None:
    table = quantiles(jitter, points)
    assert len(table) == points
    assert list(table) == sorted(table)
    mean, deviation = moments(table)
    assert abs(mean) < 1
    assert deviation == pytest.approx(jitter.deviation_ns, rel=1e-4)


def test_what_is_drawn_has_them_too() -> None:
    draw = random.Random(1)
    table = quantiles(Jitter(MS))
    drawn = []
    for _ in range(20_000):
        place, rest = divmod(draw.random() * (len(table) - 1), 1)
        low, high = table[int(place)], table[int(place) + 1]
        drawn.append(low + rest * (high - low))
    assert statistics.pstdev(drawn) == pytest.approx(MS, rel=4 / (2 * 20_000) ** 0.5)


def test_the_normal_distribution_has_its_quantiles() -> None:
    table = quantiles(Jitter(MS))
    wanted = statistics.NormalDist(0, MS)
    for place in (102, 256, 512, 768, 922):
        assert table[place] == pytest.approx(wanted.inv_cdf(place / 1024), rel=0.002, abs=100)
    assert 3.9 * MS < table[-1] == -table[0] < 4.1 * MS


def test_the_uniform_distribution_is_a_straight_line() -> None:
    table = quantiles(Jitter(MS, "uniform"))
    assert table[-1] == pytest.approx(3**0.5 * MS, rel=1e-6)
    assert table[0] == -table[-1]
    assert table[768] == pytest.approx(table[-1] / 2, abs=1)


def test_the_pareto_distribution_has_a_long_late_tail() -> None:
    table = quantiles(Jitter(MS, "pareto"))
    # Of the full distribution: least 1, mean 3/2, deviation sqrt(3)/2.
    assert table[0] == pytest.approx(-MS / 3**0.5, rel=0.1)
    assert table[-1] > 15 * MS
    # Twice as far from 0 is 2^3 times as rare: the place at 7/8 is twice the least.
    step = table[896] - table[0]
    assert table[1008] - table[0] == pytest.approx(3 * step, rel=0.01)


def test_a_table_is_stepped_through() -> None:
    table = quantiles(Jitter.from_table((10 * MS, 0, 0, 0)))
    low, high = table[0], table[-1]
    assert high - low == pytest.approx(10 * MS, rel=0.01)
    assert set(table) == {low, high}
    assert table.count(high) == pytest.approx(256, abs=1)


def test_a_table_of_one_delay_is_refused() -> None:
    with pytest.raises(NetworkError, match="differ"):
        quantiles(Jitter(MS, "table", (5, 5)))
