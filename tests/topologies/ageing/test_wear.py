"""What chance does to a fibre: repairs, attenuation, damage, outages."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.topologies.ageing.plants import plant
from topologies.ageing import corruption, outages
from topologies.ageing.outages import Faults
from topologies.ageing.wear import NEW, draw_wear


def test_the_same_seed_and_name_give_the_same_wear() -> None:
    it = plant("aged-10g-ook", years=15)
    assert draw_wear(it, 7, "north-south") == draw_wear(it, 7, "north-south")
    others = {draw_wear(it, 7, "north-south"), draw_wear(it, 8, "north-south")}
    others |= {draw_wear(it, 7, "south-east")}
    assert len(others) == 3


def test_wear_belongs_to_the_fibre_and_not_to_its_optics() -> None:
    old, new = plant("aged-10g-ook", years=15), plant("coherent-400g", years=15)
    assert draw_wear(old, 7, "north-south") == draw_wear(new, 7, "north-south")


def test_new_fibre_has_no_wear() -> None:
    fresh = replace(plant("aged-10g-ook", years=50), new_fibre=True)
    assert draw_wear(fresh, 7, "x") == NEW


def test_repairs_are_poisson_and_attenuation_uniform() -> None:
    wears = [draw_wear(plant("aged-10g-ook", years=15), seed, "x") for seed in range(1000)]
    repairs = [wear.repairs for wear in wears]
    mean = 8.1 / 1000 * 80 * 15
    assert statistics.mean(repairs) == pytest.approx(mean, abs=4 * math.sqrt(mean / 1000))
    # The variance of a sample variance of a Poisson distribution: (mean + 2 mean^2) / n.
    assert statistics.variance(repairs) == pytest.approx(
        mean, abs=4 * math.sqrt((mean + 2 * mean**2) / 1000)
    )
    extra = np.array([wear.extra_attenuation for wear in wears])
    assert 0.02 <= extra.min() <= extra.max() <= 0.30
    assert extra.mean() == pytest.approx(0.16, abs=4 * 0.28 / math.sqrt(12 * 1000))


def test_a_span_that_ages_only_gains_repairs() -> None:
    counts = [draw_wear(plant("aged-10g-ook", years=y), 7, "x").repairs for y in range(60)]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert max(after - before for before, after in pairwise(counts)) <= 6


def test_damage_falls_into_the_published_buckets() -> None:
    random = np.random.default_rng(1)
    draws = [corruption.draw(random) for _ in range(4000)]
    for (low, high), share in zip(corruption.LOSS_BUCKETS, corruption.SHARES, strict=True):
        inside = sum(low <= loss < high for loss in draws) / len(draws)
        assert inside == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 4000))


@pytest.mark.parametrize(
    ("percentile", "mtbf_h", "mttr_h"),
    [(0.25, 795, 3.7), (0.5, 1877, 12.3), (0.75, 4431, 41), (0.9, 7421, 83)],
)
def test_vendors_of_fibre(percentile: float, mtbf_h: float, mttr_h: float) -> None:
    assert outages.vendor_mtbf_h(percentile) == pytest.approx(mtbf_h, rel=0.01)
    assert outages.vendor_mttr_h(percentile) == pytest.approx(mttr_h, rel=0.012)


def test_outages_are_a_renewal_process() -> None:
    faults = Faults(mtbf_h=100, mttr_h=10)
    assert faults.unavailability == pytest.approx(10 / 110)
    hours = 200_000.0
    found = list(outages.draw(faults, hours, np.random.default_rng(3)))
    assert all(begin < end for begin, end in found)
    assert all(a[1] < b[0] for a, b in pairwise(found))
    count = hours / 110
    assert len(found) == pytest.approx(count, abs=4 * math.sqrt(count))
    down = sum(end - begin for begin, end in found)
    assert down / hours == pytest.approx(10 / 110, rel=0.1)


def test_the_published_cut_has_a_median_of_nine_hours() -> None:
    mean = 9 * math.exp(outages.CUT_SIGMA**2 / 2)
    found = list(outages.draw(Faults(1, mean), 30_000, np.random.default_rng(5)))
    assert statistics.median(end - begin for begin, end in found) == pytest.approx(9, rel=0.06)


def test_a_standby_squares_the_unavailability() -> None:
    faults = Faults(1877, 12)
    pair = faults.with_standby()
    assert pair.unavailability == pytest.approx(faults.unavailability**2)
    assert pair.mttr_h == 6


def test_hits_come_as_often_as_stated() -> None:
    hits = list(outages.draw_hits(12, 100 * outages.HOURS_PER_YEAR, np.random.default_rng(2)))
    assert len(hits) == pytest.approx(1200, abs=4 * math.sqrt(1200))
    assert not list(outages.draw_hits(0, 1e9, np.random.default_rng(2)))
