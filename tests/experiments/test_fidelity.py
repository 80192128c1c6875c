"""Every check passes what it should and fails what it should; the worst one rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from experiments import fidelity
from experiments.coherence import PhasePlan
from experiments.fidelity import Check, verdict
from experiments.probing import RoundTrips, Train
from tests.fakes.steps import MS
from topologies.emulation.impairer import LATENESS_EDGES_US, Counters
from topologies.linkstate import Duplex, Jitter, LinkState, Loss

STATE = LinkState(100 * 10**6, 5 * MS, mtu=1500)
FLOOR = RoundTrips(400_000, 50_000, 0)
BOTH = Duplex.both(STATE)
GOOD = Check("x", "y", 1, 1, 0, "ms", ok=True)
BAD = Check("rate", "west-east", 100, 50, 2, "Mbit/s", ok=False)
FATAL = Check("loss", "west-east", 0, 1, 0, "frames", ok=False, fatal=True)


@pytest.mark.parametrize(
    ("checks", "name", "reasons"),
    [
        ([], "faithful", 0),
        ([GOOD], "faithful", 0),
        ([GOOD, BAD], "degraded", 1),
        ([GOOD, FATAL], "invalid", 1),
        ([BAD, FATAL, BAD], "invalid", 3),
        ([replace(GOOD, fatal=True)], "faithful", 0),
    ],
)
def test_the_worst_failed_check_is_the_verdict(
    checks: list[Check], name: str, reasons: int
) -> None:
    judged = verdict(checks)
    assert judged["verdict"] == name
    assert len(judged["reasons"]) == reasons
    assert len(judged["checks"]) == len(checks)


def test_a_reason_says_what_was_measured_and_what_was_meant() -> None:
    (reason,) = verdict([BAD])["reasons"]
    assert reason == ("rate of west-east: 50 Mbit/s measured, 100 Mbit/s intended (tolerance 2)")


@pytest.mark.parametrize(
    ("rtt_ms", "ok"), [(10.0, True), (10.4, True), (9.6, True), (11.0, False), (9.0, False)]
)
def test_round_trip(rtt_ms: float, ok: bool) -> None:
    seen = RoundTrips(rtt_ms * MS, 30_000, 0)
    assert fidelity.check_delay("before", "west-east", BOTH, FLOOR, seen).ok is ok


def test_a_slow_span_adds_the_serialisation_of_a_ping() -> None:
    slow = Duplex.both(LinkState(10**6, 5 * MS))
    seen = RoundTrips(10 * MS + 2 * 98 * 8 * 1000, 30_000, 0)
    assert fidelity.check_delay("before", "west-east", slow, FLOOR, seen).ok
    assert not fidelity.check_delay("before", "west-east", slow, FLOOR, RoundTrips(1e7, 0, 0)).ok


def test_jitter_moves_the_median_of_thirty_pings_by_no_more_than_it_can() -> None:
    jittery = Duplex(replace(STATE, jitter=Jitter(MS)), STATE)

    def judged(median_ms: float) -> bool:
        seen = RoundTrips(median_ms * MS, 30_000, 0)
        return fidelity.check_delay("before", "west-east", jittery, FLOOR, seen).ok

    assert judged(10.0)
    assert judged(11.3)  # 0.2 + 3 % + 4 x 1.25 ms / sqrt(30) = 1.41 ms
    assert not judged(11.5)


@pytest.mark.parametrize(
    ("state", "received", "ok"),
    [
        (STATE, 1000, True),
        (STATE, 999, False),
        (replace(STATE, corrupt=0.1), 900, True),
        (replace(STATE, corrupt=0.1), 1000, False),
        (replace(STATE, loss=Loss(bit_error_rate=1e-5)), 886, True),
        (replace(STATE, loss=Loss(bit_error_rate=1e-5)), 960, False),
        (replace(STATE, loss=Loss(bad=1, enter=0.01, leave=0.1)), 840, True),
        (replace(STATE, loss=Loss(bad=1, enter=0.5, leave=0.5)), 840, False),
    ],
)
def test_what_a_train_misses_is_judged_by_cause(state: LinkState, received: int, ok: bool) -> None:
    train = Train(1514, 1e8, 1000, received)
    assert fidelity.check_train_loss("west-east", state, 1000, train).ok is ok


def test_the_switches_must_not_be_slower_than_the_span() -> None:
    assert fidelity.check_floor("before", "west-east", BOTH, FLOOR).ok
    short = Duplex.both(LinkState(10**8, 150_000))
    assert not fidelity.check_floor("before", "west-east", short, FLOOR).ok


@pytest.mark.parametrize(
    ("mbit", "access", "ok"),
    [
        (100, 10**9, True),
        (99, 10**9, True),
        (90, 10**9, False),
        (110, 10**9, False),
        (40, 40 * 10**6, True),
    ],
)
def test_rate(mbit: float, access: int, ok: bool) -> None:
    train = Train(1514, mbit * 1e6, 500, 500)
    check = fidelity.check_rate("west-east forward before", STATE, access, train)
    assert check.ok is ok
    assert "forward" in check.subject


def test_loss_while_training_is_judged_phase_by_phase() -> None:
    lossy = Duplex.both(replace(STATE, loss=Loss(0.1)))
    phases = [PhasePlan("reference", 0), PhasePlan("aged", 1)]
    states = [{"west-east": BOTH}, {"west-east": lossy}]

    def counted(delivered: int, lost: int) -> dict[str, tuple[Counters, Counters]]:
        way = Counters(delivered=delivered, lost=lost)
        return {"west-east": (way, way)}

    good = [counted(0, 0), counted(1000, 0), counted(10_000, 1000)]
    checks = fidelity.check_training_loss(phases, states, good, {})
    assert len(checks) == 4
    assert all(check.ok for check in checks)
    bad = [counted(0, 0), counted(999, 1), counted(10_999, 2)]
    checks = fidelity.check_training_loss(phases, states, bad, {})
    assert not any(check.ok for check in checks)


def test_a_span_that_changes_by_itself_may_have_lost_as_any_of_its_states() -> None:
    lossy = Duplex.both(replace(STATE, loss=Loss(0.1)))
    phases = [PhasePlan("reference", 0), PhasePlan("aged", 1)]
    traces = {"west-east": (BOTH, lossy)}
    for lost, ok in ((0, True), (50, True), (100, True), (150, False)):
        way, nothing = Counters(delivered=1000 - lost, lost=lost), Counters()
        snapshots = [{"west-east": (counted, counted)} for counted in (nothing, nothing, way)]
        states = [{"west-east": BOTH}] * 2
        checks = fidelity.check_training_loss(phases, states, snapshots, traces)
        assert all(check.ok for check in checks) is ok, lost


@pytest.mark.parametrize(
    ("probability", "frames", "lost", "ok"),
    [
        (0.0, 2000, 0, True),
        (0.0, 2000, 1, False),
        (0.01, 2000, 20, True),
        (0.01, 2000, 38, True),  # 4 sigma are 17.8, and one frame
        (0.01, 2000, 40, False),
        (0.01, 2000, 0, False),
        (1e-4, 40, 0, True),
        (1e-4, 40, 1, True),
        (1e-4, 40, 4, False),
        (1.0, 40, 40, True),
        (1.0, 40, 38, False),
    ],
)
def test_loss_is_judged_as_a_binomial(probability: float, frames: int, lost: int, ok: bool) -> None:
    assert fidelity.check_loss("west-east", frames, lost, probability, probability).ok is ok


def test_drops_that_nobody_modelled_are_fatal_where_they_grew() -> None:
    assert [check.ok for check in fidelity.check_drops({}, {})] == [True]
    assert all(check.ok for check in fidelity.check_drops({"net0 rx": 3}, {"net0 rx": 3}))
    (check,) = fidelity.check_drops({"net0 rx": 3}, {"net0 rx": 3, "span0a tx": 2})
    assert (check.ok, check.fatal, check.subject, check.measured) == (False, True, "span0a tx", 2)


def late(buckets: dict[int, int]) -> list[int]:
    histogram = [0] * (len(LATENESS_EDGES_US) + 1)
    for bucket, count in buckets.items():
        histogram[bucket] = count
    return histogram


def test_frames_that_the_emulator_lost_are_fatal() -> None:
    good, bad = Counters(packets=10, delivered=10), Counters(packets=10, delivered=9, errors=1)
    assert all(check.ok for check in fidelity.check_counters("x", Counters(), good))
    (check,) = fidelity.check_counters("x", Counters(), bad)
    assert not check.ok
    assert check.fatal
    assert all(check.ok for check in fidelity.check_counters("x", bad, bad)), "before training"
    oversize = Counters(packets=10, delivered=9, oversize_drops=1)
    assert not fidelity.check_counters("x", Counters(), oversize)[0].ok


def test_lateness_is_judged_over_training_alone() -> None:
    before = Counters(lateness=late({9: 50}))
    on_time = Counters(lateness=late({0: 1000, 9: 50}))
    assert all(check.ok for check in fidelity.check_counters("x", before, on_time))
    too_late = Counters(lateness=late({0: 1000, 9: 100}))
    failed = [check for check in fidelity.check_counters("x", before, too_late) if not check.ok]
    assert [check.name for check in failed] == ["lateness p99"]
    assert not failed[0].fatal
    assert len(fidelity.check_counters("x", Counters(), Counters())) == 1, "netem has no histogram"


@pytest.mark.parametrize(
    ("moved", "ok"),
    [(1_000_000, True), (1_049_000, True), (951_000, True), (1_060_000, False), (0, False)],
)
def test_gradient_bytes(moved: int, ok: bool) -> None:
    check = fidelity.check_bytes("west-east forward", 1_000_000, moved)
    assert check.ok is ok
    assert check.fatal


def test_replicas() -> None:
    assert fidelity.check_replicas(0).ok
    assert not fidelity.check_replicas(3).ok
    assert fidelity.check_replicas(3).fatal


def computed(
    late_ms: float, rank: int = 0, step: int = 5, declared_ms: float = 100
) -> dict[str, Any]:
    late_ns, declared_ns = int(late_ms * MS), int(declared_ms * MS)
    return {"rank": rank, "step": step, "late_ns": late_ns, "declared_ns": declared_ns}


@pytest.mark.parametrize(
    ("late_ms", "ok"), [((0, 0), True), ((5, 6.8), True), ((0, 11), True), ((6, 7), False)]
)
def test_compute_must_fit_the_declared_time_on_average(
    late_ms: tuple[float, float], ok: bool
) -> None:
    steps = [computed(late, step=step) for step, late in enumerate(late_ms, start=2)]
    (check,) = fidelity.check_compute(steps)
    assert check.ok is ok
    assert not check.fatal


def test_the_rank_that_is_latest_against_its_own_time_is_judged() -> None:
    steps = [computed(20, 0), computed(15, 1, declared_ms=50), computed(1, 2)]
    (check,) = fidelity.check_compute(steps)
    assert (check.subject, check.measured, check.ok) == ("rank 1", 15.0, False)


def test_warm_up_and_steps_that_declare_nothing_are_not_judged() -> None:
    assert fidelity.check_compute([computed(90, step=0), computed(90, step=1)]) == []
    assert fidelity.check_compute([computed(90, declared_ms=0)]) == []
