"""Compute times: the right mean and spread, the same for the same seed, rank and step."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.workloads.launcher import loopback_job
from workloads.variation import DISTRIBUTIONS, Variation

DRAWS = 200_000


def drawn(variation: Variation) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return variation.factors(np.random.default_rng(5), (DRAWS,))


@pytest.mark.parametrize("cv", [0.05, 0.2])
@pytest.mark.parametrize("distribution", DISTRIBUTIONS[1:])
def test_mean_and_spread_are_as_stated(distribution: str, cv: float) -> None:
    factors = drawn(Variation(distribution, cv))
    assert factors.mean() == pytest.approx(1, abs=4 * cv / math.sqrt(DRAWS))
    assert factors.std() == pytest.approx(cv, rel=0.02)
    assert (factors >= 0).all()


@pytest.mark.parametrize("cv", [0.7, 1.5])
@pytest.mark.parametrize("distribution", ["lognormal", "gamma"])
def test_wide_spreads(distribution: str, cv: float) -> None:
    factors = drawn(Variation(distribution, cv))
    assert factors.mean() == pytest.approx(1, abs=4 * cv / math.sqrt(DRAWS))
    assert factors.std() == pytest.approx(cv, rel=0.1)


def test_a_skewed_distribution_is_skewed() -> None:
    medians = {name: np.median(drawn(Variation(name, 0.5))) for name in ("lognormal", "gamma")}
    assert medians["lognormal"] == pytest.approx(1 / math.sqrt(1 + 0.5**2), rel=0.01)
    assert medians["gamma"] == pytest.approx(0.918, rel=0.01)  # of shape 4: 3.672 / 4


def test_a_fixed_time_is_fixed() -> None:
    assert (drawn(Variation()) == 1).all()
    assert Variation().factor(1, 2, 3) == 1


def test_stragglers_are_as_many_and_as_slow_as_stated() -> None:
    factors = drawn(Variation(straggling=0.01, slowdown=3))
    assert set(factors) == {1.0, 3.0}
    sigma = math.sqrt(DRAWS * 0.01 * 0.99)
    assert (factors == 3).sum() == pytest.approx(DRAWS * 0.01, abs=4 * sigma)


def test_stragglers_do_not_move_the_other_draws() -> None:
    plain = Variation("gamma", 0.1)
    both = replace(plain, straggling=0.5, slowdown=2)
    ratios = drawn(both) / drawn(plain)
    assert {round(float(ratio), 9) for ratio in ratios} == {1.0, 2.0}


def test_a_draw_belongs_to_its_seed_rank_and_step() -> None:
    variation = Variation("lognormal", 0.1)
    assert variation.factor(1, 2, 3) == variation.factor(1, 2, 3)
    places = [(1, 2, 3), (2, 2, 3), (1, 3, 3), (1, 2, 4), (1, 3, 2)]
    assert len({variation.factor(*place) for place in places}) == len(places)
    assert variation.factor(1, 2, 3) == pytest.approx(1.223749009594506)
    many = [variation.factor(0, rank, step) for rank in range(4) for step in range(500)]
    assert np.mean(many) == pytest.approx(1, abs=4 * 0.1 / math.sqrt(2000))
    assert np.std(many) == pytest.approx(0.1, rel=0.1)


def test_an_unknown_distribution_is_refused() -> None:
    with pytest.raises(ValueError, match="no distribution cauchy: fixed, normal"):
        Variation("cauchy", 0.1).factor(1, 2, 3)


def test_a_slow_accelerator_takes_longer_for_every_step(tmp_path: Path) -> None:
    job = loopback_job(
        tmp_path, ranks=2, compute_ns=10**8, variation=Variation(straggling=0.5, slowdown=2)
    )
    me = job.ranks[1]
    slow = replace(me, speed=0.5)
    times = [job.declared_ns(me, step) for step in range(40)]
    assert set(times) == {10**8, 2 * 10**8}
    assert [job.declared_ns(slow, step) for step in range(40)] == [2 * time for time in times]
