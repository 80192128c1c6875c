"""Ageing against published figures: the numbers here are copied, never computed by the code."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from topologies.ageing.conditions import CONDITIONS, OPTICS, plant_of
from topologies.ageing.delay import one_way_ns
from topologies.ageing.optics import (
    Wear,
    attenuation_db,
    draw_wear,
    frame_loss,
    margin_db,
    ook_bit_error_rate,
    uncorrected_frame_loss,
)
from topologies.ageing.plant import Plant
from topologies.errors import PhysicsError
from topologies.units import YEAR_NS

NEW = Wear(0, 0.0)
ONE_FIGURE = 0.5
"""The published values carry one significant figure: 1e-8 stands for 0.5e-8 to 1.5e-8."""


def span(condition: str, km: float, years: float = 0) -> Plant:
    return plant_of(condition, round(km * 1000), round(years * YEAR_NS))


@pytest.mark.parametrize(
    ("margin", "frame_bytes", "loss"),
    [
        (0.0, 1500, 1e-8),
        (-0.5, 1500, 2e-6),
        (-1.0, 1500, 1.4e-4),
        (-1.5, 1500, 3.9e-3),
        (-2.0, 1500, 5e-2),
        (0.0, 9000, 7e-8),
        (-0.5, 9000, 1e-5),
        (-1.0, 9000, 8e-4),
        (-1.5, 9000, 2.3e-2),
        (-2.0, 9000, 0.28),
    ],
)
def test_frame_loss_of_10g_without_error_correction(
    margin: float, frame_bytes: int, loss: float
) -> None:
    computed = uncorrected_frame_loss(ook_bit_error_rate(margin), frame_bytes)
    first_figure = 10 ** math.floor(math.log10(loss))
    assert computed == pytest.approx(loss, abs=ONE_FIGURE * first_figure)


def test_zero_margin_is_a_bit_error_rate_of_1e_minus_12() -> None:
    assert ook_bit_error_rate(0.0) == pytest.approx(1e-12, rel=0.05)
    assert uncorrected_frame_loss(1e-20, 1500) == pytest.approx(1538 * 8e-20, rel=1e-6)
    assert uncorrected_frame_loss(0.0, 1500) == 0.0


def test_the_worked_example() -> None:
    plant = span("aged-10g-ook", 80, 15)
    assert attenuation_db(Plant(80_000, 0, "10g-ook"), NEW) == pytest.approx(18.0)
    assert margin_db(Plant(80_000, 0, "10g-ook"), NEW) == pytest.approx(3.0)
    metro = Wear(8.1 / 1000 * 80 * 15, 0.10)
    assert metro.repairs == pytest.approx(9.7, abs=0.05)
    assert 2 * 0.1 * metro.repairs == pytest.approx(1.9, abs=0.05)
    assert margin_db(plant, metro) == pytest.approx(-1.0, abs=0.1)
    assert frame_loss(plant, metro, 1500) == pytest.approx(1.4e-4, rel=0.5)
    assert frame_loss(plant, metro, 9000) == pytest.approx(8e-4, rel=0.5)
    long_haul = Wear(1.9 / 1000 * 80 * 15, 0.10)
    assert margin_db(plant, long_haul) == pytest.approx(0.45, abs=0.05)
    # Published for a margin rounded to 0.5 dB, and a tenth of a dB halves it here.
    assert 1e-11 < frame_loss(plant, long_haul, 1500) < 5e-11


def test_osnr_of_two_amplified_sections_of_80_km() -> None:
    # 16 dB of fibre a section at 0 dBm and 5.5 dB of noise figure are 33.44 dB of OSNR over two
    # sections; four connectors of 0.5 dB, shared between them, take 1 dB.
    margin = margin_db(Plant(160_000, 0, "coherent-400g"), NEW)
    osnr = margin + 24 + 2 + 1.2
    assert osnr == pytest.approx(57.95 - 17.0 - 5.5 - 10 * math.log10(2))
    assert osnr == pytest.approx(32.44, abs=0.005)


@pytest.mark.parametrize(
    ("condition", "km", "delay_ms"),
    [
        ("coherent-400g", 20, 0.11),
        ("coherent-100g", 160, 0.82),
        ("aged-10g-ook", 80, 0.44),
        ("aged-10g-fec", 80, 0.50),
        ("oc48-ring", 200, 1.4),
        ("hollow-core-400g", 80, 0.28),
    ],
)
def test_one_way_delays_of_the_presets(condition: str, km: float, delay_ms: float) -> None:
    half_a_step = 0.05 if delay_ms == 1.4 else 0.005
    assert one_way_ns(span(condition, km)) / 1e6 == pytest.approx(delay_ms, abs=half_a_step)


def test_delay_is_a_sum_of_its_parts() -> None:
    glass = one_way_ns(Plant(100_000, 0, "10g-ook"))
    assert glass == 489_700
    assert one_way_ns(Plant(100_000, 0, "10g-ook", dcf=True)) == glass + 62_500
    assert one_way_ns(Plant(100_000, 0, "10g-ook", oeo_sites=3)) == glass + 300_000
    assert one_way_ns(Plant(100_000, 0, "10g-ook", hollow_core=True)) == 340_000


@pytest.mark.parametrize(
    ("condition", "rate_bps"),
    [
        ("coherent-400g", 400 * 10**9),
        ("coherent-100g", 100 * 10**9),
        ("aged-10g-ook", 10 * 10**9),
        ("aged-10g-fec", 10 * 10**9),
        ("oc48-ring", 2_400 * 10**6),
        ("hollow-core-400g", 400 * 10**9),
    ],
)
def test_capacities_of_the_presets(condition: str, rate_bps: int) -> None:
    assert OPTICS[plant_of(condition, 1000, 0).optics].rate == rate_bps


def test_every_preset_has_optics_that_exist() -> None:
    for name in CONDITIONS:
        assert plant_of(name, 1000, 0).optics in OPTICS, name


def test_age_alone_never_makes_a_corrected_link_lossy() -> None:
    worn = Wear(10, 0.20)
    for condition in ("coherent-400g", "coherent-100g"):
        assert frame_loss(span(condition, 80, 30), worn, 9000) == 0.0


def test_error_correction_is_a_cliff() -> None:
    def losses(condition: str) -> list[float | None]:
        found: list[float | None] = []
        for repairs in range(40):
            try:
                found.append(frame_loss(span(condition, 80, 15), Wear(repairs, 0.10), 1500))
            except PhysicsError:
                found.append(None)
        return found

    corrected = losses("aged-10g-fec")
    assert set(corrected) == {0.0, None}
    assert corrected == sorted(corrected, key=lambda loss: loss is None), "down stays down"
    plain = losses("aged-10g-ook")
    numbers = [loss for loss in plain if loss is not None]
    assert len(numbers) == 40
    assert numbers == sorted(numbers)


def test_beyond_its_reach_a_link_is_down_and_says_by_how_much() -> None:
    with pytest.raises(PhysicsError, match=r"coherent-400g does not work over 2000 km.*dB short"):
        frame_loss(span("coherent-400g", 2000), NEW, 1500)
    with pytest.raises(PhysicsError, match="beyond its error correction"):
        frame_loss(span("aged-10g-fec", 120), Wear(0, 0.3), 1500)


def test_margin_falls_with_length_wear_and_dirt() -> None:
    for condition in ("aged-10g-ook", "coherent-400g"):
        usual = margin_db(span(condition, 70), Wear(2, 0.1))
        assert margin_db(span(condition, 75), Wear(2, 0.1)) < usual
        assert margin_db(span(condition, 70), Wear(3, 0.1)) < usual
        assert margin_db(span(condition, 70), Wear(2, 0.2)) < usual
    dirty = Plant(70_000, 0, "10g-ook", dirt_db=2.0)
    assert margin_db(dirty, NEW) == pytest.approx(margin_db(Plant(70_000, 0, "10g-ook"), NEW) - 2)


def test_regenerators_split_the_line() -> None:
    whole = Plant(200_000, 0, "oc48-ook", oeo_sites=0)
    split = Plant(200_000, 0, "oc48-ook", oeo_sites=4)
    assert margin_db(split, NEW) > margin_db(whole, NEW)
    lossy = Wear(60, 0.30)
    one = uncorrected_frame_loss(ook_bit_error_rate(margin_db(split, lossy)), 1500)
    assert frame_loss(split, lossy, 1500) == pytest.approx(1 - (1 - one) ** 5)


def test_the_same_seed_and_name_give_the_same_wear() -> None:
    plant = span("aged-10g-ook", 80, 15)
    assert draw_wear(plant, 7, "north-south") == draw_wear(plant, 7, "north-south")
    others = {draw_wear(plant, 7, "north-south"), draw_wear(plant, 8, "north-south")}
    others |= {draw_wear(plant, 7, "south-east")}
    assert len(others) == 3


def test_wear_belongs_to_the_fibre_and_not_to_its_optics() -> None:
    old, new = span("aged-10g-ook", 80, 15), span("coherent-400g", 80, 15)
    assert draw_wear(old, 7, "north-south") == draw_wear(new, 7, "north-south")


def test_new_fibre_has_no_wear() -> None:
    assert draw_wear(Plant(80_000, 50 * YEAR_NS, "10g-ook", new_fibre=True), 7, "x") == NEW


def test_repairs_are_poisson_and_attenuation_uniform() -> None:
    wears = [draw_wear(span("aged-10g-ook", 80, 15), seed, "x") for seed in range(1000)]
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
    counts = [
        draw_wear(span("aged-10g-ook", 80, years), 7, "x").repairs for years in range(0, 60, 5)
    ]
    assert counts[0] == 0
    assert counts == sorted(counts)
