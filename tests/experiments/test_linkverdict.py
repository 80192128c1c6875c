"""The verdict on one direction of a span, by made-up measurements."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from experiments.arrivals import Flow
from experiments.chances import Simulation
from experiments.linkverdict import (
    INTENDED,
    MEASURED,
    TOO_SHORT,
    Direction,
    Filled,
    Intent,
    Probed,
    judge,
    least_p99,
    of_goodput,
)
from experiments.probing import RoundTrips
from topologies.linkstate import Duplex, Jitter, LinkState, Loss, Red

MS = 1_000_000
FRAME = 86
FULL = 9014
FLOOR = RoundTrips(median_ns=0.5 * MS, spread_ns=0.1 * MS, lost=0)
PLAIN = LinkState(10**7, 5 * MS)
SENT = np.arange(500) * 4 * MS
GOODPUT = 9.8e6


def probed(state: LinkState, lost: int = 0, seed: int = 5) -> Probed:
    """Return what probes find of a span with that state both ways, some lost at random."""
    random = np.random.default_rng(seed)
    received = Simulation(SENT, FRAME, FLOOR.median_ns / 2).cross(state, SENT[None, :], random)[0]
    gone = set(random.choice(500, lost, replace=False).tolist())
    seen = [
        (n, int(SENT[n]), int(received[n]))
        for n in np.argsort(received, kind="stable").tolist()
        if n not in gone
    ]
    flow = Flow(500, tuple(seen))
    return Probed(FRAME, flow, flow, tuple(2 * (there - sent) for _, sent, there in seen))


def filled(state: LinkState, **changes: Any) -> Filled:
    """Return what a train finds of a state."""
    frame_ns = FULL * 8e9 / state.rate_bps
    seen = [(n, 0, int(n * frame_ns)) for n in range(140)]
    measured = Filled(
        frame_bytes=FULL,
        head=16,
        saturated=True,
        train=Flow(140, tuple(seen)),
        dropped=0,
        deepest_bytes=32 * FULL,
        queue_bytes=32 * FULL,
        flooded=True,
    )
    return replace(measured, **changes)


def intent(state: LinkState, **changes: Any) -> Intent:
    made = Intent(
        "west-east",
        Duplex.both(state),
        backward=False,
        access_bps=10**8,
        floor=FLOOR,
    )
    return replace(made, **changes)


def verdict(intended: LinkState, found: LinkState, lost: int = 0, **changes: Any) -> Direction:
    """Judge a span in one state that should be in another."""
    train = filled(found, **changes)
    return judge(intent(intended), probed(found, lost), train, GOODPUT, seconds=2.0)


STATES = {
    "plain": PLAIN,
    "lossy": replace(PLAIN, loss=Loss(0.02)),
    "shaky": replace(PLAIN, jitter=Jitter(MS)),
    "bursty": replace(PLAIN, loss=Loss(bad=1, enter=0.005, leave=0.25)),
}


@pytest.mark.parametrize("name", STATES)
def test_a_span_as_intended_is_ok(name: str) -> None:
    state = STATES[name]
    found = verdict(state, state, lost=round(500 * state.loss.of_frames(FRAME)))
    if name == "bursty":  # those that were taken out stand alone
        assert [row.key for row in found.rows if not row.ok] in ([], ["burst"])
    else:
        assert found.reasons == []


@pytest.mark.parametrize(
    ("found", "lost", "wrong"),
    [
        (replace(PLAIN, delay_ns=6 * MS), 0, {"one_way_ns", "rtt_ns"}),
        (replace(PLAIN, jitter=Jitter(MS)), 0, {"jitter_ns", "interarrival_jitter_ns"}),
        (replace(PLAIN, jitter=Jitter(5 * MS, reorder=True)), 0, {"reordered"}),
        (replace(PLAIN, reorder=0.1), 0, {"reordered"}),
        (PLAIN, 1, {"loss"}),
        (replace(PLAIN, rate_bps=9_500_000), 0, {"rate_bps", "spacing_median_ns"}),
    ],
    ids=["delay", "jitter", "order", "skips", "loss", "rate"],
)
def test_another_state_is_found(found: LinkState, lost: int, wrong: set[str]) -> None:
    judged = verdict(PLAIN, found, lost)
    assert not judged.ok
    assert {row.key for row in judged.rows if not row.ok} >= wrong


def test_too_little_jitter_and_loss_are_found_as_well() -> None:
    shaky = replace(PLAIN, jitter=Jitter(MS), loss=Loss(0.2))
    wrong = {row.key for row in verdict(shaky, PLAIN).rows if not row.ok}
    assert wrong >= {"jitter_ns", "interarrival_jitter_ns", "loss"}


def test_a_span_shorter_than_the_switches_says_what_to_do() -> None:
    short = replace(PLAIN, delay_ns=MS // 10)
    judged = verdict(short, short)
    assert TOO_SHORT in judged.reasons
    assert "raise emulate.time" in TOO_SHORT


def test_duplicates_are_counted() -> None:
    probes = probed(PLAIN)
    twice = replace(probes, flow=Flow(500, (*probes.flow.seen, probes.flow.seen[-1])))
    judged = judge(intent(PLAIN), twice, filled(PLAIN), GOODPUT, seconds=2.0)
    assert [row.key for row in judged.rows if not row.ok] == ["duplicated"]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"deepest_bytes": 30 * FULL}, ["queue_bytes"]),
        ({"deepest_bytes": 30 * FULL, "flooded": False}, []),
        ({"deepest_bytes": 33 * FULL}, ["queue_bytes"]),
        ({"deepest_bytes": 0}, []),
        ({"dropped": 20}, ["rate_bps", "dropped", "full_frame_loss"]),
        ({"dropped": None}, []),
    ],
)
def test_the_queue_is_judged_where_it_is_measured(
    changes: dict[str, Any], wrong: list[str]
) -> None:
    judged = verdict(PLAIN, PLAIN, **changes)
    assert [row.key for row in judged.rows if not row.ok] == wrong


def test_the_99th_percentile_needs_more_than_one_late_frame() -> None:
    assert least_p99([1.0] * 139 + [9.0]) == 1.0
    assert least_p99([1.0] * 100 + [9.0] * 40) == 9.0
    assert least_p99([5.0]) == 5.0


@pytest.mark.parametrize(
    ("state", "bps", "ok"),
    [
        (PLAIN, 9.9e6, True),
        (PLAIN, 7.0e6, False),
        (PLAIN, 36e6, False),
        (replace(PLAIN, loss=Loss(0.1)), 1e5, True),
        (replace(PLAIN, jitter=Jitter(MS)), 1e6, True),
        (replace(PLAIN, red=Red(10_000, 20_000)), 1e6, True),
        (replace(PLAIN, loss=Loss(1e-6)), 7.0e6, False),
    ],
)
def test_goodput_has_bounds_and_a_lower_one_where_tcp_is_not_disturbed(
    state: LinkState, bps: float, ok: bool
) -> None:
    assert of_goodput(intent(state), bps, seconds=2.0).ok == ok


def test_nothing_came_back() -> None:
    nothing = Probed(FRAME, Flow(500, ()), Flow(500, ()), ())
    judged = judge(intent(PLAIN), nothing, filled(PLAIN), None, seconds=2.0)
    said = " ".join(judged.reasons)
    for part in ("too few probes", "loss is 1", "iperf3"):
        assert part in said
    unheard = Probed(FRAME, Flow(0, ()), Flow(500, ()), ())
    judged = judge(intent(PLAIN, backward=True), unheard, filled(PLAIN), None, seconds=2.0)
    assert any("no probe" in reason for reason in judged.reasons)


def test_a_span_that_should_be_down_loses_all() -> None:
    down = replace(PLAIN, up=False)
    nothing = Probed(FRAME, Flow(500, ()), Flow(500, ()), ())
    judged = judge(intent(down), nothing, filled(PLAIN), None, seconds=2.0)
    assert judged.ok
    assert [row.key for row in judged.rows] == ["loss", "duplicated"]


def test_json_is_the_contract() -> None:
    answer = json.loads(json.dumps(verdict(PLAIN, PLAIN, lost=1).to_json()))
    assert list(answer) == ["span", "direction", "intended", "measured", "ok", "reasons"]
    assert (answer["span"], answer["direction"], answer["ok"]) == ("west-east", "forward", False)
    assert tuple(answer["intended"]) == INTENDED
    assert tuple(answer["measured"]) == MEASURED
    assert answer["intended"]["loss"] == 0
    assert answer["measured"]["loss"] == 1 / 500
    assert answer["reasons"] == ["loss is 0.002: 0 intended, 0 to 0 allowed"]
