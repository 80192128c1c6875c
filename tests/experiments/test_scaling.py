"""What scales make of losses, windows, timers and timeouts."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from experiments.model.tcp import loss_for, mean_window
from experiments.scaling import (
    MOST_LOSS,
    emulated,
    host_tcp,
    real_connections,
    rto_min_ns,
    timeout_ns,
    window_scale,
)
from experiments.scenario import Scenario
from experiments.twin import twin_of
from tests.fakes.scenarios import scenario_of, tiny
from topologies.errors import NetworkError
from topologies.linkstate import Duplex, LinkState, Loss
from topologies.tcp import AS_IT_IS

MS = 10**6


def scaled(control: str = "reno", **emulate: Any) -> Scenario:
    """Return the tiny scenario under scales (by default 1/100 and 4) and a TCP."""
    return scenario_of(
        tiny(
            network__congestion_control=control,
            emulate={"bytes": "1/100", "time": 4, **emulate},
        )
    )


def lossy(loss: float, delay_ms: float = 5, **more: Any) -> Duplex:
    return Duplex.both(LinkState(10**10, int(delay_ms * MS), loss=Loss(loss), mtu=1500, **more))


def loss_of(real: Duplex, scenario: Scenario) -> float:
    return emulated(real, scenario).forward.mean_loss


@pytest.mark.parametrize(
    ("control", "connections"),
    [("reno", None), ("cubic", None), ("bbr", None), ("reno", 100), ("bbr", 100)],
)
def test_a_twin_with_fewer_connections_leaves_tcp_alone(
    control: str, connections: int | None
) -> None:
    scenario, real = scaled(control, connections=connections), lossy(1e-3)
    assert real_connections(scenario.emulate) == 100
    assert emulated(real, scenario).forward.loss == real.forward.loss
    tcp = host_tcp(scenario)
    assert (tcp.window_bytes, tcp.initial_window) == (None, None)


@pytest.mark.parametrize("connections", [1, 10, 25, 400])
def test_reno_keeps_its_share_of_the_window(connections: int) -> None:
    """``p N^2``: the window in packets scales by bytes x connections, so its loss by the square."""
    scenario, real = scaled(connections=connections), lossy(1e-8)
    scale = window_scale(scenario.emulate)
    assert scale == Fraction(connections, 100)
    assert loss_of(real, scenario) * scale**2 == pytest.approx(1e-8)
    tcp = host_tcp(scenario_of(tiny(emulate={"bytes": "1/4", "time": 1, "connections": 2})))
    assert tcp.window_bytes == 65_535 * 2**6, "of 3 MiB the power of two that is nearest"
    assert tcp.initial_window == 5


@pytest.mark.parametrize(("delay_ms", "loss"), [(0.1, 1e-4), (5, 1e-6), (50, 1e-8)])
def test_cubic_keeps_its_share_of_the_window(delay_ms: float, loss: float) -> None:
    """It grows with time as well: the same loss over a longer round trip leaves it more."""
    scenario, real = scaled("cubic", connections=50), lossy(loss, delay_ms)
    twin = emulated(real, scenario)
    before = mean_window("cubic", loss, real.round_trip_ns / 1e9)
    after = mean_window("cubic", twin.forward.mean_loss, twin.round_trip_ns / 1e9)
    assert after / before == pytest.approx(0.5, rel=1e-6)


def test_bbr_does_not_go_by_losses() -> None:
    assert loss_of(lossy(1e-2), scaled("bbr", connections=1)) == pytest.approx(1e-2)


@pytest.mark.parametrize("control", ["reno", "cubic"])
def test_the_law_of_windows_can_be_turned_around(control: str) -> None:
    losses = np.logspace(-9, -1, 9)
    for rtt_s in (1e-4, 1e-2, 1.0):
        windows = mean_window(control, losses, rtt_s)
        assert loss_for(control, windows, rtt_s) == pytest.approx(losses)


def test_bursts_come_less_often_and_stay_as_long() -> None:
    channel = Loss(enter=1e-6, leave=0.25, bad=0.5)
    real = Duplex.both(LinkState(10**10, 5 * MS, loss=channel, mtu=1500))
    twin = emulated(real, scaled(connections=10)).forward.loss
    assert (twin.leave, twin.bad) == (0.25, 0.5)
    assert twin.enter == pytest.approx(1e-4, rel=0.01)


def test_corrupt_frames_are_lost_to_tcp() -> None:
    twin = emulated(lossy(0.0, corrupt=1e-6), scaled(connections=10)).forward
    assert twin.corrupt == pytest.approx(1e-4)


def test_what_cannot_be_scaled_is_refused() -> None:
    with pytest.raises(NetworkError, match=r"a loss of 0\.01 becomes 1 .* more emulate.connect"):
        emulated(lossy(0.01), scaled(connections=10))
    assert MOST_LOSS < 1
    pattern = Duplex.both(LinkState(10**9, MS, loss=Loss(pattern="0001")))
    with pytest.raises(NetworkError, match="a pattern cannot be scaled"):
        emulated(pattern, scaled(connections=10))
    with pytest.raises(NetworkError, match=r"window: 20 kB become 2 kB .* 65.53 kB or more"):
        host_tcp(scenario_of(tiny(network__window="20 kB", emulate__connections=1)))


def test_a_stated_window_holds_even_unscaled() -> None:
    scenario = scenario_of(tiny(network__window="16 MB"))
    assert host_tcp(scenario).window_bytes == 65_535 * 2**8
    assert twin_of(scenario).tcp == host_tcp(scenario)


def test_timers_follow_time() -> None:
    assert host_tcp(scenario_of(tiny())) == AS_IT_IS  # time 1
    assert host_tcp(scaled()).rto_min_ns == 800 * MS
    assert rto_min_ns(Fraction(1, 3)) == 67 * MS, "whole milliseconds, never shorter"
    assert rto_min_ns(Fraction(1, 100)) == 50 * MS, "above Linux's delayed acknowledgement"
    assert rto_min_ns(Fraction(10_000)) == 120 * 10**9, "Linux's longest"


def test_a_stated_timeout_follows_time_and_none_is_thirty_seconds() -> None:
    assert timeout_ns(scaled()) == 30 * 10**9
    stated = tiny(workload__timeout="10 s", emulate={"bytes": "1/100", "time": 4})
    assert timeout_ns(scenario_of(stated)) == 40 * 10**9
    short = tiny(workload__timeout="10 s", emulate={"bytes": "1/100", "time": "1/20"})
    with pytest.raises(NetworkError, match=r"workload.timeout: 10 s become 500 ms"):
        twin_of(scenario_of(short))
