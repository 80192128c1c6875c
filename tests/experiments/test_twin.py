"""Every quantity of the twin follows from the real one by the two scales."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.manifest import quantities
from experiments.scenario import load_scenario
from experiments.twin import twin_of
from tests.fakes.scenarios import ring, scenario_of, tiny

DEMO = Path(__file__).parents[2] / "experiments" / "scenarios" / "three-campuses.yaml"


def test_quantities_follow_the_scales() -> None:
    twin = twin_of(scenario_of(ring()))  # bytes 1/1000, time 2
    assert twin.gradient_bytes == 1_000_000
    assert twin.bucket_bytes == 26_214
    assert twin.compute_ns == 200 * 10**6
    assert set(twin.access_bps.values()) == {200 * 10**6}
    assert set(twin.access_bps) == {host.name for host in twin.graph.hosts}
    span = twin.initial["north-south"].forward
    assert (span.rate_bps, span.delay_ns) == (5 * 10**6, 2 * 10**6)
    assert (twin.reference.worse.rate_bps, twin.reference.worse.delay_ns) == (200 * 10**6, 4_000)


def test_the_groups_that_decide_a_step_are_kept() -> None:
    small, large = (
        twin_of(scenario_of({**ring(), "emulate": {"bytes": b, "time": t}}))
        for b, t in (("1/1000", 2), ("1/100", 1))
    )
    for twin in (small, large):
        span = twin.initial["north-south"].forward
        step_s = twin.compute_ns / 1e9
        assert twin.gradient_bytes * 8 / (span.rate_bps * step_s) == pytest.approx(8.0)
        assert 2 * span.delay_ns / twin.compute_ns == pytest.approx(0.02)


def test_gradients_are_whole_floats() -> None:
    twin = twin_of(scenario_of(tiny(workload__gradients="4000003 B", emulate__bytes="1/3")))
    assert twin.gradient_bytes % 4 == 0
    assert 1_333_330 <= twin.gradient_bytes <= 1_333_334


def test_changes_come_in_the_order_of_the_timeline() -> None:
    twin = twin_of(load_scenario(DEMO))
    assert [(change.step, change.kind, change.span, change.upgrade) for change in twin.changes] == [
        (12, "age", "north-south", None),
        (12, "age", "south-east", None),
        (12, "age", "north-east", None),
        (24, "upgrade", "north-south", "coherent-400g"),
        (42, "upgrade", "south-east", "replace-with-dark-fibre"),
    ]
    assert twin.initial["north-south"].worse.rate_bps < twin.final["north-south"].worse.rate_bps
    assert twin.initial["north-east"] == twin.final["north-east"]


def test_upgrades_of_one_span_add_up() -> None:
    timeline = [
        {"at": "step 6", "upgrade": "west-east", "with": "coherent-100g"},
        {"at": "step 9", "upgrade": "west-east", "with": "hollow-core"},
    ]
    twin = twin_of(scenario_of(tiny(timeline=timeline)))
    rates = [change.real.worse.rate_bps for change in twin.changes]
    assert rates == [100 * 10**6, 100 * 10**9, 400 * 10**9]


def test_the_same_scenario_gives_the_same_twin() -> None:
    assert twin_of(load_scenario(DEMO)) == twin_of(load_scenario(DEMO))


def test_quantities_are_shown_side_by_side() -> None:
    scenario = scenario_of(tiny())
    rows = {
        row["quantity"]: (row["real"], row["emulated"])
        for row in quantities(scenario, twin_of(scenario))
    }
    assert rows["gradients per step"] == ("4 MB", "400 kB")
    assert rows["compute per step"] == ("20 ms", "20 ms")
    assert rows["access rate in west"] == ("1 Gbit/s", "100 Mbit/s")
    assert rows["west-east, aged: rate"] == ("100 Mbit/s", "10 Mbit/s")
    assert rows["west-east, aged: one-way delay"] == ("4 ms", "4 ms")
    assert rows["west-east, coherent-400g: rate"] == ("400 Gbit/s", "40 Gbit/s")
