"""The relay's queue, a pure function of state, length and time."""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.lines import HandLine
from topologies.emulation.impairer import (
    LATENESS_EDGES_US,
    Counters,
    lateness_quantile_us,
)
from topologies.linkstate import LinkState, Loss

MS, S = 10**6, 10**9
FRAME = 1514
WIRE_NS = 12_112_000  # 1514 bytes at 1 Mbit/s


def line(seed: int = 1, **fields: Any) -> HandLine:
    state: dict[str, Any] = {
        "rate_bps": 10**6,
        "delay_ns": 5 * MS,
        "queue_bytes": 20 * FRAME,
        "mtu": 1500,
        **fields,
    }
    return HandLine(LinkState(**state), seed)


def balanced(counters: Counters, admitted: int) -> bool:
    """Whether every frame offered is accounted for."""
    dropped = counters.lost + counters.queue_drops + counters.down_drops + counters.oversize_drops
    return counters.packets == admitted + dropped


def test_a_frame_takes_its_time_on_the_wire_and_then_the_delay() -> None:
    assert line().admit(FRAME, 1000) == 1000 + WIRE_NS + 5 * MS


def test_frames_that_come_together_leave_at_exactly_the_rate() -> None:
    tested = line()
    due = [tested.admit(FRAME, 0) for _ in range(20)]
    assert due == [(n + 1) * WIRE_NS + 5 * MS for n in range(20)]


def test_an_idle_link_does_not_save_up_rate() -> None:
    tested = line()
    tested.admit(FRAME, 0)
    late = 10 * S
    assert tested.admit(FRAME, late) == late + WIRE_NS + 5 * MS
    assert tested.admit(FRAME, late) == late + 2 * WIRE_NS + 5 * MS


def test_the_tail_is_dropped_and_room_comes_back_as_frames_leave() -> None:
    tested = line(queue_bytes=2 * FRAME)
    assert tested.admit(FRAME, 0) is not None
    assert tested.admit(FRAME, 0) is not None
    assert tested.admit(60, 0) is None
    assert tested.counters.queue_drops == 1
    assert tested.admit(FRAME, WIRE_NS - 1) is None, "the first is still on the wire"
    assert tested.admit(FRAME, WIRE_NS) == 3 * WIRE_NS + 5 * MS


def test_down_and_oversize_frames_are_dropped_for_their_own_reason() -> None:
    tested = line()
    assert tested.admit(FRAME + 1, 0) is None
    assert tested.counters.oversize_drops == 1
    assert tested.admit(FRAME, 0) is not None
    tested.change(up=False)
    assert tested.admit(FRAME, 0) is None
    assert tested.counters.down_drops == 1
    assert tested.counters.packets == 3
    assert tested.counters.bytes == 3 * FRAME + 1


def test_a_lost_frame_takes_its_time_on_the_wire() -> None:
    tested = line(loss=Loss(1.0))
    assert tested.admit(FRAME, 0) is None
    tested.change(loss=Loss(0.0))
    assert tested.admit(FRAME, 0) == 2 * WIRE_NS + 5 * MS
    assert tested.counters.lost == 1


@pytest.mark.parametrize("probability", [0.001, 0.05, 0.5])
def test_loss_is_as_probable_as_stated(probability: float) -> None:
    count = 20_000
    tested = line(loss=Loss(probability), rate_bps=10**12)
    for index in range(count):
        tested.admit(100, index * MS)
    sigma = math.sqrt(count * probability * (1 - probability))
    assert abs(tested.counters.lost - count * probability) <= 4 * sigma


def test_loss_is_drawn_from_the_seed() -> None:
    def lost(seed: int) -> list[bool]:
        tested = line(seed, loss=Loss(0.3), rate_bps=10**12)
        return [tested.admit(100, index * MS) is None for index in range(200)]

    assert lost(7) == lost(7)
    assert len({tuple(lost(seed)) for seed in range(4)}) == 4


def test_a_line_that_is_seeded_anew_draws_as_a_new_one() -> None:
    channel = Loss(0.1, bad=0.9, enter=0.2, leave=0.1)

    def lost(tested: HandLine, begin: int) -> list[bool]:
        return [tested.admit(100, (begin + index) * MS) is None for index in range(200)]

    used = line(1, loss=channel, rate_bps=10**12)
    lost(used, 0)
    used.reseed(7)
    assert lost(used, 200) == lost(line(7, loss=channel, rate_bps=10**12), 0)


def test_a_shrinking_delay_lets_nobody_overtake() -> None:
    tested = line(delay_ns=100 * MS)
    first = tested.admit(FRAME, 0)
    tested.change(delay_ns=0)
    assert first == WIRE_NS + 100 * MS
    assert tested.admit(FRAME, 0) == first, "at the same time, behind it"
    assert tested.admit(FRAME, S) == S + WIRE_NS


def test_a_new_rate_holds_for_frames_that_come_after_it() -> None:
    tested = line()
    before = tested.admit(FRAME, 0)
    tested.change(rate_bps=10**7)
    assert before == WIRE_NS + 5 * MS
    assert tested.admit(FRAME, 0) == WIRE_NS + WIRE_NS // 10 + 5 * MS


def test_a_queue_that_shrinks_keeps_what_it_holds() -> None:
    tested = line()
    due = [tested.admit(FRAME, 0) for _ in range(10)]
    tested.change(queue_bytes=FRAME)
    assert None not in due
    assert tested.admit(FRAME, 0) is None
    assert tested.admit(FRAME, 10 * WIRE_NS) == 11 * WIRE_NS + 5 * MS


changes = st.tuples(
    st.integers(0, 20 * MS),  # time since the one before
    st.integers(60, 1514),
    st.none()
    | st.fixed_dictionaries(
        {},
        optional={
            "rate_bps": st.integers(10**5, 10**9),
            "delay_ns": st.integers(0, 50 * MS),
            "loss": st.sampled_from([Loss(), Loss(0.2)]),
            "queue_bytes": st.integers(2000, 100_000),
            "up": st.booleans(),
        },
    ),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(changes, max_size=60))
def test_whatever_changes_order_rate_and_accounts_are_kept(
    events: list[tuple[int, int, dict[str, Any] | None]],
) -> None:
    tested = line()
    now, due, admitted = 0, [], []
    for gap, length, change in events:
        now += gap
        if change is not None:
            tested.change(**change)
        state = tested.state
        when = tested.admit(length, now)
        if when is None:
            continue
        own_ns = length * 8 * S // state.rate_bps
        assert when >= now + own_ns + state.delay_ns, "never earlier than an empty link would"
        due.append(when)
        admitted.append((now, own_ns))
    assert all(a <= b for a, b in pairwise(due)), "overtaken"
    assert balanced(tested.counters, len(due))
    assert 0 <= tested.queued_bytes == sum(length for _, length in tested.waiting)
    assert all(a[0] <= b[0] for a, b in pairwise(tested.waiting))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5 * MS), st.integers(60, 1514)), min_size=1, max_size=80))
def test_the_rate_is_never_exceeded_over_any_stretch(frames: list[tuple[int, int]]) -> None:
    tested = line(queue_bytes=10**9)
    now, sent = 0, []
    for gap, length in frames:
        now += gap
        when = tested.admit(length, now)
        assert when is not None
        sent.append((when, length))
    for index in range(len(sent)):
        bits = 0
        for when, length in sent[index + 1 :]:
            bits += 8 * length
            assert bits <= (when - sent[index][0]) * 10**6 / S + 1e-3 * len(sent)


def lateness(late_us: list[int]) -> list[int]:
    """Return the histogram of lateness values below the last edge."""
    histogram = [0] * (len(LATENESS_EDGES_US) + 1)
    for late in late_us:
        histogram[bisect_left(LATENESS_EDGES_US, late)] += 1
    return histogram


def test_lateness_is_told_by_the_bucket_that_holds_it() -> None:
    histogram = lateness([10] * 98 + [150, 20_000])
    assert lateness_quantile_us(histogram, 0.5) == 20
    assert lateness_quantile_us(histogram, 0.99) == 200
    assert lateness_quantile_us(histogram, 1.0) == math.inf


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 9_999), min_size=1, max_size=50), st.sampled_from([0.5, 0.9, 0.99, 1])
)
def test_a_quantile_is_an_upper_bound_within_one_bucket(late_us: list[int], share: float) -> None:
    true = sorted(late_us)[math.ceil(share * len(late_us)) - 1]
    told = lateness_quantile_us(lateness(late_us), share)
    assert told >= true
    edges = (0, *LATENESS_EDGES_US)
    assert edges[edges.index(int(told)) - 1] <= true


def test_nothing_sent_is_not_late() -> None:
    assert lateness_quantile_us([0] * (len(LATENESS_EDGES_US) + 1), 0.99) <= LATENESS_EDGES_US[0]


def test_the_depth_of_the_queue_can_be_read_at_any_moment() -> None:
    tested = HandLine(LinkState(rate_bps=8_000_000, delay_ns=0))
    for _ in range(3):
        tested.admit(1000, 0)
    depths = [
        tested.waiting_bytes(now_ns) for now_ns in (0, 10**6 - 1, 10**6, 2 * 10**6, 3 * 10**6)
    ]
    assert depths == [3000, 3000, 2000, 1000, 0]
    assert tested.waiting_bytes(0) == tested.queued_bytes == 3000, "reading takes nothing off"
