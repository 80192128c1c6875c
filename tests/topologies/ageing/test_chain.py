"""From plants to packets: the worked example, the presets, cliffs and modifiers."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from tests.topologies.ageing.plants import chain, plant
from topologies.ageing import light, retransmission
from topologies.ageing.wear import NEW, Wear
from topologies.catalogue import bundled
from topologies.linkstate import Loss


def test_the_worked_example() -> None:
    clean = replace(plant("aged-10g-ook"), dirt_db=0.0)
    assert light.attenuation_db(clean, NEW) == pytest.approx(18.0)
    assert chain(clean).margin_db == pytest.approx(3.0)
    metro = Wear(8.1 / 1000 * 80 * 15, 0.10)
    aged = chain(plant("aged-10g-ook", years=15), metro)
    assert round(metro.repairs, 1) == 9.7
    assert round(aged.attenuation_db["repairs"], 1) == 1.9
    assert round(aged.attenuation_db["extra attenuation"], 1) == 1.6
    assert aged.margin_db is not None
    assert round(aged.margin_db, 1) == -1.0
    # Published for -1.0 dB, and what the sum above gives is -1.04 dB.
    rounded = chain(plant("aged-10g-ook"), Wear(9.5, 0.10))
    assert rounded.margin_db == pytest.approx(-1.0)
    assert float(f"{rounded.loss:.1e}") == 1.4e-4
    long_haul = chain(plant("aged-10g-ook"), Wear(1.9 / 1000 * 80 * 15, 0.10))
    assert long_haul.margin_db == pytest.approx(0.45, abs=0.01)
    # Published as 2e-11, which is that of +0.5 dB; a twentieth of a dB doubles it here.
    assert long_haul.loss == pytest.approx(4e-11, rel=0.1)
    assert chain(plant("aged-10g-ook"), Wear(2.0, 0.10)).loss == pytest.approx(2e-11, rel=0.1)


def test_osnr_of_two_amplified_sections_of_80_km() -> None:
    # 16 dB of fibre and two connectors a section at 0 dBm, amplifiers as GNPy has them at 17 dB.
    line = plant("overdriven-400g", km=160)
    assert light.sections(line) == 2
    assert light.gsnr_db(line, NEW) + light.NONLINEAR_DB == pytest.approx(28.21, abs=0.005)


@pytest.mark.parametrize(
    ("condition", "km", "gbps", "delay_ms", "loss"),
    [
        ("coherent-400g", 20, 400, 0.11, 0),
        ("coherent-100g", 160, 100, 0.82, 0),
        ("aged-10g-ook", 80, 10, 0.44, 1.4e-4),
        ("aged-10g-fec", 80, 10, 0.50, 0),
        ("oc48-ring", 200, 2.4, 1.4, 1e-8),
        ("microwave-backup", 40, 1, 0.3, 1e-6),
        ("lag-4x10g", 80, 40, 0.44, 1.4e-4 / 4),
        ("overdriven-400g", 160, 400, 0.80, 0),
        ("hollow-core-400g", 80, 400, 0.28, 0),
    ],
)
def test_presets(condition: str, km: float, gbps: float, delay_ms: float, loss: float) -> None:
    it = chain(plant(condition, km=km), Wear(9.5, 0.1) if "10g" in condition else NEW)
    assert it.up
    assert it.capacity_bps == gbps * 1e9
    assert it.state.delay_ns / 1e6 == pytest.approx(delay_ms, rel=0.02)
    assert it.loss == pytest.approx(loss, rel=0.02, abs=1e-12)


def test_the_delay_is_a_sum_of_its_parts() -> None:
    glass = replace(plant("aged-10g-ook", km=100), dcf=False)
    assert chain(glass).delay_ns == {"fibre": 489_700}
    assert chain(replace(glass, dcf=True)).delay_ns["dispersion compensation"] == 62_500
    assert chain(replace(glass, oeo_sites=3)).delay_ns["regenerators"] == 300_000
    assert chain(replace(glass, hollow_core=True)).delay_ns == {"fibre": 340_000}
    amplified = chain(plant("coherent-400g", km=240)).delay_ns
    assert amplified["amplifiers"] == 3 * 125
    assert amplified["error correction"] == 10_000


def test_age_alone_never_makes_a_corrected_link_lossy() -> None:
    for condition in ("coherent-100g", "aged-10g-fec"):
        assert chain(plant(condition, years=30), Wear(5, 0.10), 9000).loss == 0.0


@pytest.mark.parametrize(
    "condition", ["aged-10g-ook", "aged-10g-fec", "coherent-400g", "oc48-ring"]
)
def test_every_link_falls_off_a_cliff_and_stays_down(condition: str) -> None:
    states = [chain(plant(condition), Wear(repairs, 0.10)) for repairs in range(0, 200, 2)]
    ups = [it.up for it in states]
    assert ups == sorted(ups, reverse=True)
    losses = [it.loss for it in states if it.up]
    assert losses == sorted(losses)
    for it in states:
        assert it.reserve_db is not None
        assert it.up == (it.reserve_db >= 0) or condition == "aged-10g-fec"
        if not it.up:
            assert it.state.up is False
            assert it.state.loss == Loss(0.0), "a link that is down has no loss, it has no frames"


def test_soft_error_correction_hides_everything_until_the_cliff() -> None:
    states = [chain(plant("coherent-400g"), Wear(repairs, 0.10)) for repairs in range(60)]
    assert {it.loss for it in states if it.up} == {0.0}
    assert 0 < sum(it.up for it in states) < 60
    first_down = next(index for index, it in enumerate(states) if not it.up)
    assert states[first_down - 1].bit_error_rate <= 1.22e-2 < states[first_down].bit_error_rate


def test_better_error_correction_moves_the_cliff() -> None:
    worn = Wear(21, 0.10)
    own = plant("coherent-400g")
    better = bundled().upgraded(own, "better-fec")
    before, after = chain(own, worn), chain(better, worn)
    assert before.bit_error_rate == after.bit_error_rate
    assert before.reserve_db is not None
    assert after.reserve_db is not None
    assert 0.3 < after.reserve_db - before.reserve_db < 1.5


def test_capacity_follows_the_margin_where_optics_step_down() -> None:
    line = plant("overdriven-400g", km=160)
    assert chain(line, Wear(0, 0.0)).capacity_bps == 400 * 10**9
    stepped = chain(line, Wear(5, 0.05))
    assert stepped.capacity_bps == 300 * 10**9
    assert stepped.margin_db is not None
    assert stepped.margin_db >= 1
    adaptive = bundled().upgraded(line, "rate-adapt")
    rates = [chain(adaptive, Wear(worn, 0.01)).capacity_bps / 1e9 for worn in range(0, 120, 2)]
    assert rates == sorted(rates, reverse=True)
    assert set(rates) == {400, 300, 200, 100}


def test_regenerators_split_the_line() -> None:
    split = plant("oc48-ring", km=200)
    whole = replace(split, oeo_sites=0)
    lossy = Wear(300, 0.30)
    split_db, whole_db = chain(split, lossy).margin_db, chain(whole, lossy).margin_db
    assert split_db is not None
    assert whole_db is not None
    assert split_db > whole_db
    worn = Wear(420, 0.30)
    segment = chain(replace(split, background_loss=0.0), worn)
    one = 1 - (1 - segment.line_loss) ** (1 / 5)
    assert segment.line_loss == pytest.approx(5 * one, rel=1e-2)


def test_damage_comes_on_top() -> None:
    damaged = plant("aged-10g-fec", "damaged-fibre")
    assert damaged.damaged
    it = chain(damaged, Wear(0, 0.1, corruption=1e-3))
    assert it.loss == pytest.approx(1e-3)
    assert it.line_loss == 0
    mended = bundled().upgraded(damaged, "clean-and-resplice")
    assert not mended.damaged


def test_only_the_worn_wave_of_a_bundle_loses() -> None:
    worn = Wear(9.72, 0.10)
    bundle, single = chain(plant("lag-4x10g"), worn), chain(plant("aged-10g-ook"), worn)
    assert bundle.loss == pytest.approx(single.loss / 4)


def test_retransmission_as_published() -> None:
    assert retransmission.loss_after(1e-2) == pytest.approx(1e-8)
    assert retransmission.capacity_after(1e-2) == pytest.approx(0.60)
    assert retransmission.loss_after(1.2e-3) == pytest.approx(1.3e-9, rel=0.35)
    assert retransmission.capacity_after(1.2e-3) == pytest.approx(0.91)
    assert retransmission.loss_after(1e-9) == 1e-9
    assert retransmission.capacity_after(0.0) == 1.0
    mended = chain(bundled().upgraded(plant("aged-10g-ook"), "link-retransmission"), Wear(12, 0.2))
    assert mended.loss <= 1e-8
    assert mended.capacity_bps < 10**10


def test_jumbo_frames_are_lost_six_times_as_often() -> None:
    worn = Wear(9.72, 0.10)
    ordinary = chain(plant("aged-10g-ook"), worn)
    jumbo = chain(bundled().upgraded(plant("aged-10g-ook"), "jumbo-frames"), worn)
    assert jumbo.mtu == 9000
    assert jumbo.loss / ordinary.loss == pytest.approx(6, rel=0.05)


def test_margin_falls_with_length_wear_and_dirt() -> None:
    for condition in ("aged-10g-ook", "coherent-400g"):
        usual = chain(plant(condition, km=70), Wear(2, 0.1)).margin_db
        dirty = replace(plant(condition, km=70), dirt_db=plant(condition).dirt_db + 2)
        for other in (
            chain(plant(condition, km=75), Wear(2, 0.1)),
            chain(plant(condition, km=70), Wear(3, 0.1)),
            chain(plant(condition, km=70), Wear(2, 0.2)),
        ):
            assert usual is not None
            assert other.margin_db is not None
            assert other.margin_db < usual
        assert chain(dirty, Wear(2, 0.1)).margin_db == pytest.approx((usual or math.nan) - 2)


def test_osnr_against_gnpy() -> None:
    """``tests/golden/generate_osnr.py`` makes the file with GNPy, which the tests do not need."""
    golden = json.loads((Path(__file__).parents[2] / "golden" / "osnr.json").read_text())
    assert len(golden["lines"]) == 20
    for line in golden["lines"]:
        computed = light.osnr_db(line["section_losses_db"], line["noise_figures_db"])
        assert computed == pytest.approx(line["osnr_ase_01nm_db"], abs=0.01)
