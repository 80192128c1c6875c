"""What a scenario's scales make of spans, of TCP and of timeouts. Pure.

One emulated connection stands for ``connections`` real ones, which share the real rate. Its window,
and so its bandwidth-delay product in packets, is then bytes x connections of a real one's: 1 where
nothing is stated, because a twin that is smaller has as many connections fewer.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

from experiments.emulatespec import EmulateSpec
from experiments.scenario import Scenario
from topologies.errors import NetworkError
from topologies.linkstate import Duplex, LinkState, Loss
from topologies.tcp import (
    INITIAL_WINDOW,
    LARGEST_RTO_MIN_NS,
    LEAST_RTO_MIN_NS,
    RTO_MIN_NS,
    WINDOW_BYTES,
    HostTcp,
)
from topologies.units import render

MOST_LOSS = 0.1
"""Of frames, for a loss that was scaled: beyond it timeouts rule, and no law of windows holds."""
TIMEOUT_NS = 30 * 10**9
"""Of a collective, emulated, where the scenario states none."""
MS = 10**6


def window_scale(emulate: EmulateSpec) -> Fraction:
    """Return the window of an emulated connection per that of a real one."""
    if emulate.connections is None:
        return Fraction(1)
    return emulate.bytes * emulate.connections


def real_connections(emulate: EmulateSpec) -> Fraction:
    """Return how many real connections an emulated one stands for."""
    return window_scale(emulate) / emulate.bytes


def emulated(real: Duplex, scenario: Scenario) -> Duplex:
    """Return the emulated twin of a span's state: rates, delays, queues, and losses.

    Raises NetworkError where a rate vanishes, or a loss cannot be scaled.
    """
    emulate, control = scenario.emulate, scenario.network.congestion_control
    twin = real.scaled(emulate.bytes, emulate.time)
    scale = window_scale(emulate)
    if emulate.connections is None or control == "bbr" or (control == "reno" and scale == 1):
        return twin  # BBR does not go by losses: their share is what counts
    trips_s = real.round_trip_ns / 1e9, twin.round_trip_ns / 1e9
    return Duplex(*(_with_loss(way, control, float(scale), trips_s) for way in twin.ways))


def _with_loss(
    way: LinkState, control: str, scale: float, trips_s: tuple[float, float]
) -> LinkState:
    """Scale what is lost so that losses leave the window the same share of what it could be."""
    from experiments.model.tcp import loss_for, mean_window

    lost = 1 - (1 - way.mean_loss) * (1 - way.corrupt)
    if not lost:
        return way
    if way.loss.pattern:
        raise NetworkError(
            "loss: a pattern cannot be scaled for emulate.connections; state a probability"
        )
    wanted = float(loss_for(control, mean_window(control, lost, trips_s[0]) * scale, trips_s[1]))
    if wanted > MOST_LOSS:
        raise NetworkError(
            f"a loss of {lost:.2g} becomes {wanted:.2g} when emulated, and at most {MOST_LOSS:g} "
            "means anything; choose a larger emulate.bytes or more emulate.connections"
        )
    factor, loss = wanted / lost, way.loss
    rarer = Loss(
        good=loss.good * factor,
        bad=loss.bad if loss.enter else loss.bad * factor,
        enter=loss.enter * factor,
        leave=loss.leave,
        bit_error_rate=loss.bit_error_rate * factor,
    )
    return replace(way, loss=rarer, corrupt=way.corrupt * factor)


def host_tcp(scenario: Scenario) -> HostTcp:
    """Return what the twin's hosts are told; raises NetworkError for a window that vanishes."""
    emulate, stated = scenario.emulate, scenario.network.window
    scale, time = window_scale(emulate), emulate.time
    window = None
    if stated is not None or scale != 1:
        window = _window(stated or WINDOW_BYTES, scale)
    return HostTcp(
        rto_min_ns=rto_min_ns(time) if time != 1 else None,
        window_bytes=window,
        initial_window=max(1, round(INITIAL_WINDOW * scale)) if scale != 1 else None,
    )


def _window(real: int, scale: Fraction) -> int:
    """Return the window nearest to the scaled one, by their quotient, that TCP can be held to."""
    windows = HostTcp.windows()
    wanted = float(real * scale)
    if wanted < windows[0] / math.sqrt(2):
        raise NetworkError(
            f"network.window: {render(real, 'size')} become {render(wanted, 'size')} when "
            f"emulated, and TCP can be held to {render(windows[0], 'size')} or more; choose a "
            "larger emulate.bytes or more emulate.connections"
        )
    return min(windows, key=lambda window: abs(math.log(window / wanted)))


def rto_min_ns(time: Fraction) -> int:
    """Return the smallest retransmission timeout at a time scale, in whole ms, within bounds."""
    scaled_ms = -int(-RTO_MIN_NS * time // MS)
    return min(max(scaled_ms * MS, LEAST_RTO_MIN_NS), LARGEST_RTO_MIN_NS)


def timeout_ns(scenario: Scenario) -> int:
    """Return how long an emulated collective may take; raises NetworkError for less than 1 s."""
    stated = scenario.workload.timeout
    if stated is None:
        return TIMEOUT_NS
    scaled = int(stated * scenario.emulate.time)
    if scaled < 10**9:
        raise NetworkError(
            f"workload.timeout: {render(stated, 'duration')} become {render(scaled, 'duration')} "
            "when emulated, less than 1 s; choose a larger emulate.time or timeout"
        )
    return scaled
