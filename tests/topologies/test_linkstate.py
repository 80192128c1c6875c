"""What one direction of a link does, and its emulated twin."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.errors import NetworkError
from topologies.linkstate import QUEUE_FLOOR_FRAMES, Jitter, LinkState, Loss, Red


@pytest.mark.parametrize(
    "fields",
    [
        {"rate_bps": 0},
        {"rate_bps": -1},
        {"delay_ns": -1},
        {"duplicate": -0.1},
        {"corrupt": 1.1},
        {"reorder": float("nan")},
        {"queue_packets": -1},
        {"reorder": 0.1, "delay_ns": 0},
        {"queue_bytes": -1},
    ],
    ids=str,
)
def test_impossible_states_cannot_be_made(fields: dict[str, float]) -> None:
    with pytest.raises(NetworkError):
        LinkState(**{"rate_bps": 10**9, "delay_ns": 10**6, **fields})  # type: ignore[arg-type]


def test_the_queue_holds_a_round_trip_unless_stated() -> None:
    assert LinkState(10**9, 50 * 10**6).queue_limit_bytes == 12_500_000
    assert LinkState(10**9, 50 * 10**6, queue_bytes=7).queue_limit_bytes == 7
    assert LinkState(10**9, 0, mtu=1500).queue_limit_bytes == 32 * 1514


def test_rate_is_scaled_by_bytes_per_time_and_delay_by_time() -> None:
    real = LinkState(10 * 10**9, 438_000, loss=Loss(1e-3))
    twin = real.scaled(Fraction(1, 1000), Fraction(4))
    assert twin.rate_bps == 2_500_000
    assert twin.delay_ns == 1_752_000
    assert twin.loss == real.loss
    assert twin.mtu == real.mtu
    assert twin.up


def test_the_scaled_queue_keeps_room_for_whole_frames() -> None:
    real = LinkState(10**9, 50 * 10**6, mtu=1500)
    assert real.scaled(Fraction(1, 10), Fraction(1)).queue_limit_bytes == 1_250_000
    tiny = real.scaled(Fraction(1, 10_000), Fraction(1))
    assert tiny.queue_limit_bytes == QUEUE_FLOOR_FRAMES * 1514
    assert (
        replace(real, queue_bytes=10**6).scaled(Fraction(1, 10), Fraction(1)).queue_bytes == 10**5
    )


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
    assert LinkState(1000, 0).queue_limit_bytes == QUEUE_FLOOR_FRAMES * 9014
    assert LinkState(10**10, 10**6).queue_limit_bytes == 2_500_000


@pytest.mark.parametrize(
    "fields",
    [
        {"good": -0.1},
        {"good": 1.1},
        {"bad": float("nan")},
        {"enter": 0.1},
        {"bit_error_rate": 2.0},
        {"pattern": "012"},
    ],
    ids=str,
)
def test_impossible_losses_cannot_be_made(fields: dict[str, float]) -> None:
    with pytest.raises(NetworkError):
        Loss(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("loss", "share"),
    [
        (Loss(), 0.0),
        (Loss(0.01), 0.01),
        (Loss(bad=1.0, enter=0.01, leave=0.19), 0.05),
        (Loss(good=0.1, bad=0.5, enter=0.1, leave=0.1), 0.3),
        (Loss(bit_error_rate=1e-6), 1 - (1 - 1e-6) ** 12112),
        (Loss(pattern="0001"), 0.25),
        (Loss(good=0.5, pattern="01"), 0.75),
    ],
)
def test_the_share_of_lost_frames(loss: Loss, share: float) -> None:
    assert loss.of_frames(1514) == pytest.approx(share)
    assert bool(loss) is (share > 0)


def test_losses_in_bursts_vary_more() -> None:
    assert Loss(0.1).clustering == 1
    assert Loss(bad=1, enter=0.01, leave=0.19).clustering == pytest.approx(9)


def test_red_is_scaled_with_its_queue_and_jitter_with_time() -> None:
    state = LinkState(
        10**9, 10**7, queue_bytes=10**7, red=Red(10**6, 3 * 10**6), jitter=Jitter(100)
    )
    twin = state.scaled(Fraction(1, 10), Fraction(4))
    assert twin.red == Red(10**5, 3 * 10**5)
    assert twin.jitter == Jitter(400)


@pytest.mark.parametrize(("low", "high"), [(0, 10), (10, 10), (20, 10)])
def test_red_needs_room_between_its_limits(low: int, high: int) -> None:
    with pytest.raises(NetworkError, match="RED"):
        Red(low, high)


def test_a_sample_of_delays_is_a_jitter() -> None:
    assert Jitter.from_table((1, 3)).deviation_ns == 1
    with pytest.raises(NetworkError):
        Jitter.from_table((5,))
    with pytest.raises(NetworkError, match="above 0"):
        Jitter.from_table((5, 5))
