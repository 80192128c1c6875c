"""What is read from the packets of a flow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import arrivals
from experiments.arrivals import Flow

MS = 1_000_000


def flow(sent: int, *sequences: int) -> Flow:
    """Return packets sent 10 ms apart, which arrive in this order and 1 ms apart."""
    seen = [(sequence, sequence * 10 * MS, place * MS) for place, sequence in enumerate(sequences)]
    return Flow(sent, tuple(seen))


@given(st.lists(st.integers(0, 30)))
def test_every_packet_arrived_or_was_lost_in_one_burst(sequences: list[int]) -> None:
    found = flow(31, *sequences)
    assert found.lost == 31 - len(set(sequences)) == sum(found.bursts)
    assert found.duplicated == len(sequences) - len(set(sequences))


def test_bursts_reach_to_both_ends() -> None:
    assert flow(10, 2, 3, 5, 8).bursts == [2, 1, 2, 1]
    assert flow(4).bursts == [4]
    assert arrivals.mean_burst(flow(10, 2, 3, 5, 8).bursts) == 1.5
    assert arrivals.mean_burst([]) is None


def test_the_warm_up_and_later_copies_do_not_count_in_times() -> None:
    seen = [(n, n * MS, n * MS + 100) for n in range(8)]
    sent, received = Flow(8, (*seen, (7, 7 * MS, 9 * MS))).times
    assert sent.tolist() == [0, MS, 2 * MS]
    assert received.tolist() == [100, MS + 100, 2 * MS + 100]


def test_a_flow_of_which_nothing_arrived_has_no_times() -> None:
    sent, received = Flow(8, ()).times
    assert (len(sent), len(received)) == (0, 0)


def test_a_steady_delay_is_no_jitter() -> None:
    sent = np.arange(100) * 10 * MS
    received = (sent + 3 * MS)[None, :]
    assert arrivals.median_delay(sent, received).tolist() == [3 * MS]
    assert arrivals.deviation(sent, received).tolist() == [0]
    assert arrivals.interarrival_jitter(sent, received).tolist() == [0]
    assert arrivals.reordered(sent, received).tolist() == [0]


def test_one_stall_is_no_jitter_either() -> None:
    sent = np.arange(200) * 10 * MS
    delays = np.full(200, 3 * MS)
    delays[77] += 8 * MS
    received = (sent + delays)[None, :]
    assert arrivals.deviation(sent, received).tolist() == [0]
    assert arrivals.interarrival_jitter(sent, received)[0] < MS / 100


def test_alternating_delays_change_by_their_difference_each_time() -> None:
    sent = np.arange(400) * 10 * MS
    received = (sent + np.arange(400) % 2 * MS)[None, :]
    assert arrivals.deviation(sent, received)[0] == pytest.approx(MS / 2, rel=0.01)
    assert arrivals.interarrival_jitter(sent, received)[0] == pytest.approx(MS)


@given(st.permutations(range(12)))
def test_overtaken_are_those_below_the_next_expected_number(order: list[int]) -> None:
    expected, overtaken = 0, 0
    for sequence in order:  # RFC 4737, section 3.3, to the letter
        if sequence >= expected:
            expected = sequence + 1
        else:
            overtaken += 1
    received = np.empty(12)
    received[order] = np.arange(12)
    assert arrivals.reordered(np.zeros(12), received[None, :]).tolist() == [overtaken]


def test_spacing_is_taken_between_neighbours_after_the_head() -> None:
    found = flow(20, 0, 1, 2, 3, 5, 6, 8, 7)
    assert arrivals.spacings_ns(found, 2) == [MS, MS]


def test_a_busy_link_is_as_fast_as_its_frames_leave_it() -> None:
    seen = [(n, 0, 5 * MS + n * 121_120) for n in range(200) if n % 7]
    assert arrivals.wire_rate_bps(Flow(200, tuple(seen)), 1514) == pytest.approx(100e6)
