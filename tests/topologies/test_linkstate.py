"""What one direction of a link does, and its emulated twin."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.errors import NetworkError
from topologies.linkstate import QUEUE_FLOOR_FRAMES, LinkState, default_queue_bytes


@pytest.mark.parametrize(
    "fields",
    [
        {"rate_bps": 0},
        {"rate_bps": -1},
        {"delay_ns": -1},
        {"loss": -0.1},
        {"loss": 1.1},
        {"loss": float("nan")},
        {"queue_bytes": -1},
    ],
    ids=str,
)
def test_impossible_states_cannot_be_made(fields: dict[str, float]) -> None:
    with pytest.raises(NetworkError):
        LinkState(**{"rate_bps": 10**9, "delay_ns": 10**6, **fields})  # type: ignore[arg-type]


def test_the_queue_holds_a_round_trip_unless_stated() -> None:
    assert LinkState(10**9, 50 * 10**6).queue_bytes == 12_500_000
    assert LinkState(10**9, 50 * 10**6, queue_bytes=7).queue_bytes == 7
    assert LinkState(10**9, 0, mtu=1500).queue_bytes == 32 * 1514


def test_rate_is_scaled_by_bytes_per_time_and_delay_by_time() -> None:
    real = LinkState(10 * 10**9, 438_000, loss=1e-3)
    twin = real.scaled(Fraction(1, 1000), Fraction(4))
    assert twin.rate_bps == 2_500_000
    assert twin.delay_ns == 1_752_000
    assert twin.loss == real.loss
    assert twin.mtu == real.mtu
    assert twin.up


def test_the_scaled_queue_keeps_room_for_whole_frames() -> None:
    real = LinkState(10**9, 50 * 10**6, mtu=1500)
    assert real.scaled(Fraction(1, 10), Fraction(1)).queue_bytes == 1_250_000
    assert real.scaled(Fraction(1, 10_000), Fraction(1)).queue_bytes == QUEUE_FLOOR_FRAMES * 1514


@settings(max_examples=100, deadline=None)
@given(
    st.integers(10**6, 10**12),
    st.integers(0, 10**9),
    st.fractions(Fraction(1, 1000), 1),
    st.fractions(Fraction(1, 8), 8),
)
def test_the_window_and_bandwidth_groups_are_kept(
    rate_bps: int, delay_ns: int, byte_scale: Fraction, time_scale: Fraction
) -> None:
    real = LinkState(rate_bps, delay_ns)
    try:
        twin = real.scaled(byte_scale, time_scale)
    except NetworkError:
        assert rate_bps * byte_scale / time_scale < 1000
        return
    assert twin.rate_bps == pytest.approx(float(rate_bps * byte_scale / time_scale), abs=1)
    assert twin.delay_ns == pytest.approx(float(delay_ns * time_scale), abs=1)
    product = twin.rate_bps * twin.delay_ns
    wanted = float(rate_bps * delay_ns * byte_scale)
    assert product == pytest.approx(wanted, rel=1e-3, abs=twin.rate_bps + twin.delay_ns)


def test_a_rate_that_vanishes_is_refused_with_both_rates() -> None:
    with pytest.raises(NetworkError, match="becomes 100 bit/s when emulated"):
        LinkState(10**6, 0).scaled(Fraction(1, 10_000), Fraction(1))


def test_the_default_queue_has_a_floor() -> None:
    assert default_queue_bytes(1000, 0, 9000) == QUEUE_FLOOR_FRAMES * 9014
    assert default_queue_bytes(10**10, 10**6, 9000) == 2_500_000
