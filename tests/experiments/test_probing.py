"""What is sent through a span, and what is read from the answers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.probing import (
    PINGS,
    TRAIN_FRAMES,
    RoundTrips,
    _parse_pings,
    train_shape,
    typical,
)
from topologies.emulation.errors import EmulationError
from topologies.emulation.prober import HEADERS
from topologies.linkstate import LinkState

HEAD = 8


@settings(max_examples=100, deadline=None)
@given(
    st.integers(10**4, 400 * 10**9),
    st.integers(0, 10**9),
    st.sampled_from([1280, 1500, 9000]),
    st.integers(10**6, 10**11),
)
def test_a_train_fills_the_span_and_never_overflows_its_queue(
    rate_bps: int, delay_ns: int, mtu: int, access_bps: int
) -> None:
    state = LinkState(rate_bps, delay_ns, mtu=mtu)
    frames, payload, gap_ns = train_shape(state, access_bps)
    frame = payload + HEADERS
    assert TRAIN_FRAMES[0] <= frames <= TRAIN_FRAMES[1]
    assert payload > 4
    assert frame <= mtu + 14
    wire_ns = frame * 8e9 / min(rate_bps, access_bps)
    assert gap_ns <= wire_ns + 1, "sent no slower than the span drains, or its rate is not seen"
    sent_ns = (frames - HEAD) * gap_ns
    left = frames - sent_ns / wire_ns  # frames in the queue when the last one comes
    assert left * frame <= state.queue_limit_bytes + frame


PING = """PING 10.255.1.2 (10.255.1.2) 56(84) bytes of data.
64 bytes from 10.255.1.2: icmp_seq=1 ttl=64 time=25.0 ms
64 bytes from 10.255.1.2: icmp_seq=2 ttl=64 time=10.0 ms
64 bytes from 10.255.1.2: icmp_seq=3 ttl=64 time=10.2 ms
64 bytes from 10.255.1.2: icmp_seq=5 ttl=64 time=10.4 ms
"""


def test_pings_are_read_without_the_first() -> None:
    seen = _parse_pings("west-east", PING)
    assert seen.median_ns == pytest.approx(10.2e6)
    assert seen.lost == PINGS - 4


def test_the_typical_bout_is_the_middle_one_whole() -> None:
    bouts = [RoundTrips(median, median / 10, 0) for median in (9e6, 2e6, 2.1e6, 5e6, 1.9e6)]
    assert typical(bouts) == bouts[2]
    assert typical(bouts[:1]) == bouts[0]


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_a_span_that_hardly_answers_is_named(lines: int) -> None:
    output = "".join(PING.splitlines(keepends=True)[:lines])
    with pytest.raises(EmulationError, match="west-east"):
        _parse_pings("west-east", output)
