"""What is sent to measure a span, and what iperf3 answers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.flows import goodput_of
from experiments.links import batches, filling, is_slowest, probing_session
from experiments.probing import CONCURRENT_BPS
from topologies.linkstate import Duplex, LinkState

MS = 1_000_000
RATES = st.integers(10**4, 10**9)


@st.composite
def ways(draw: st.DrawFn) -> LinkState:
    return LinkState(
        draw(RATES),
        draw(st.integers(0, 100 * MS)),
        mtu=draw(st.sampled_from([1280, 1500, 9000])),
        queue_packets=draw(st.sampled_from([0, 8, 1000])),
    )


@settings(max_examples=200, deadline=None)
@given(ways(), RATES)
def test_a_train_keeps_the_queue_between_empty_and_full(way: LinkState, access_bps: int) -> None:
    plan = filling(way, access_bps)
    assert 128 <= plan.frame_bytes <= way.mtu + 14
    wire_ns = plan.frame_bytes * 8e9 / min(way.rate_bps, access_bps)
    assert plan.gap_ns <= wire_ns, "sent no slower than it drains"
    left = plan.frames - (plan.frames - plan.head) * plan.gap_ns / wire_ns
    room = way.queue_limit_bytes // plan.frame_bytes
    if way.queue_packets:
        room = min(room, way.queue_packets)
    assert plan.head / 2 <= left + 1
    assert left <= max(room, 2) + 1


@settings(max_examples=200, deadline=None)
@given(ways(), RATES)
def test_a_flood_is_more_than_the_queue_holds(way: LinkState, access_bps: int) -> None:
    plan = filling(way, access_bps)
    if not plan.flood:
        return
    assert is_slowest(way, access_bps)
    drained = plan.flood * way.rate_bps / access_bps
    assert (plan.flood - drained) * plan.frame_bytes >= way.queue_limit_bytes or way.queue_packets


@settings(max_examples=100, deadline=None)
@given(ways(), ways(), st.floats(0.5, 60))
def test_probes_leave_a_span_idle(forward: LinkState, backward: LinkState, seconds: float) -> None:
    session = probing_session("span", Duplex(forward, backward), seconds)
    for way in (forward, backward):
        assert 86 * 8e9 / session.gap_ns <= 0.11 * way.rate_bps
    assert session.count >= 20
    assert session.linger_ns > forward.delay_ns + backward.delay_ns


@settings(max_examples=100, deadline=None)
@given(st.lists(RATES, min_size=1, max_size=8))
def test_spans_are_filled_together_while_their_rates_allow(rates: list[int]) -> None:
    states = {f"s{n}": Duplex.both(LinkState(rate, MS)) for n, rate in enumerate(rates)}
    found = batches(states, False, 10**9)
    assert sorted(span for batch in found for span in batch) == sorted(states)
    for batch in found:
        total = sum(states[span].forward.rate_bps for span in batch)
        assert total <= CONCURRENT_BPS or len(batch) == 1


IPERF = """[ ID] Interval           Transfer     Bitrate
[  5]   0.00-0.50   sec  1.00 MBytes  16777 Kbits/sec
[  5]   0.50-1.00   sec   640 KBytes  10483 Kbits/sec
[  5]   1.00-1.50   sec   640 KBytes  10000 Kbits/sec
[  5]   1.50-2.00   sec   512 KBytes  8000 Kbits/sec
- - - - - - - - - - - - - - - - - - - - - - - - -
[  5]   0.00-2.00   sec  2.38 MBytes  11000 Kbits/sec                  receiver
"""


def test_goodput_leaves_out_the_first_second_and_the_summary() -> None:
    assert goodput_of(IPERF) == 9_000_000


def test_no_connection_is_no_goodput() -> None:
    assert goodput_of("Server listening on 5201 (test #1)\niperf3: interrupt\n") is None
