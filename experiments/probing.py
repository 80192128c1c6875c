"""Measures the running spans, each alone, between the probers at its two ends."""

from __future__ import annotations

import json
import math
import re
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle

from topologies.emulation.errors import EmulationError
from topologies.emulation.lab import Lab
from topologies.emulation.prober import HEADERS
from topologies.linkstate import Duplex, LinkState

PINGS = 40
PING_INTERVALS_S = tuple(0.01 + 0.001 * number for number in range(8))
"""Each span's own, so that pings of different spans do not keep meeting in the switches."""
PING_BYTES = 98
"""A ping's frame on the wire."""
TRAIN_S = 0.4
TRAIN_FRAMES = (40, 1000)
LONGEST_FRAME_S = 0.02
CONCURRENT_BPS = 400_000_000
"""Trains run at once as long as their rates add up to less than this, which any machine carries."""
DEADLINE_S = 20.0
_PROBER = [sys.executable, "-I", "-m", "topologies.emulation.prober"]


@dataclass(frozen=True)
class RoundTrips:
    """Round-trip times between a span's probers in ns; ``lost`` counts the missing answers."""

    median_ns: float
    spread_ns: float
    lost: int


@dataclass(frozen=True)
class Train:
    """What a packet train through one direction of a span found."""

    frame_bytes: int
    rate_bps: float
    sent: int
    received: int


def round_trips(lab: Lab) -> dict[str, RoundTrips]:
    """Ping across every span at the same time; spread is the distance between quartiles.

    Not at real-time priority: ping waits busily, and the switches need the processors.
    """
    spans = list(lab.graph.spans)
    outputs: dict[str, str] = {}
    with ExitStack() as stack:
        pings = {}
        for span, interval_s in zip(spans, cycle(PING_INTERVALS_S), strict=False):
            near, far = lab.graph.probers(span)
            options = ["-i", f"{interval_s:.3f}", "-c", str(PINGS), "-W", "2", far.ip]
            command = ["nice", "-n", "-10", "ping", *options]
            ping = lab.popen(near.name, command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            pings[span] = stack.enter_context(ping)
            stack.callback(ping.kill)
        for span, ping in pings.items():
            outputs[span] = ping.communicate(timeout=DEADLINE_S)[0]
    return {span: _parse_pings(span, output) for span, output in outputs.items()}


def typical(bouts: Sequence[RoundTrips]) -> RoundTrips:
    """Return the middle one of several, by their medians."""
    return sorted(bouts, key=lambda bout: bout.median_ns)[len(bouts) // 2]


def intended_round_trip_ns(state: Duplex) -> float:
    """Return what a ping should take over an idle span, on average."""
    return state.round_trip_ns + sum(PING_BYTES * 8e9 / way.rate_bps for way in state.ways)


def trains(lab: Lab, states: Mapping[str, Duplex], access_bps: int) -> dict[str, list[Train]]:
    """Send a packet train through both directions of every span; ``[forward, backward]``."""
    found: dict[str, list[Train]] = {span: [] for span in states}
    waiting = [(span, backward) for backward in (False, True) for span in states]
    while waiting:
        batch: list[tuple[str, bool]] = []
        total_bps = 0
        for item in list(waiting):
            rate_bps = min(states[item[0]].ways[item[1]].rate_bps, access_bps)
            if not batch or total_bps + rate_bps <= CONCURRENT_BPS:
                batch.append(item)
                waiting.remove(item)
                total_bps += rate_bps
        for (span, _), train in zip(batch, _run_batch(lab, states, batch, access_bps), strict=True):
            found[span].append(train)
    return found


def train_shape(state: LinkState, access_bps: int) -> tuple[int, int, int]:
    """Return ``(frames, payload bytes, gap ns)`` that fill a span's queue half at the most."""
    rate_bps = min(state.rate_bps, access_bps)
    longest = int(rate_bps * LONGEST_FRAME_S / 8)
    frame = max(128, min(state.mtu + 14, longest))
    low, high = TRAIN_FRAMES
    frames = max(low, min(high, math.ceil(rate_bps * TRAIN_S / (8 * frame))))
    spare = state.queue_limit_bytes / frame / 2
    gap_ns = frame * 8e9 / rate_bps / (1 + min(0.1, spare / frames / 2))
    return frames, frame - HEADERS, int(gap_ns)


def _run_batch(
    lab: Lab, states: Mapping[str, Duplex], batch: list[tuple[str, bool]], access_bps: int
) -> list[Train]:
    with ExitStack() as stack:
        receivers, senders = [], []
        for span, backward in batch:
            near, far = lab.graph.probers(span)
            source, sink = (far, near) if backward else (near, far)
            frames, payload, gap_ns = train_shape(states[span].ways[backward], access_bps)
            receive = [*_PROBER, "receive", sink.ip, str(frames), str(DEADLINE_S / 2)]
            receivers.append(lab.popen(sink.name, receive, stdout=subprocess.PIPE))
            send = [source.ip, sink.ip, str(frames), str(payload), str(gap_ns)]
            senders.append((source.name, [*_PROBER, "send", *send]))
            stack.enter_context(receivers[-1])
            stack.callback(receivers[-1].kill)
        for receiver in receivers:
            assert receiver.stdout is not None, "opened as a pipe"
            if receiver.stdout.readline().strip() != "ready":
                raise EmulationError("a prober did not start")
        for host, command in senders:
            sender = stack.enter_context(lab.popen(host, command, stdout=subprocess.DEVNULL))
            stack.callback(sender.kill)
        results = [
            json.loads(receiver.communicate(timeout=DEADLINE_S)[0]) for receiver in receivers
        ]
    return [Train(**result) for result in results]


def _parse_pings(span: str, output: str) -> RoundTrips:
    times = [float(text) * 1e6 for text in re.findall(r"time=([0-9.]+) ms$", output, re.MULTILINE)]
    if len(times) < 3:
        raise EmulationError(f"span {span} does not answer: {output.strip()[-300:]}")
    # The first packet pays for the switches' look-ups.
    quartiles = statistics.quantiles(times[1:], n=4)
    return RoundTrips(statistics.median(times[1:]), quartiles[2] - quartiles[0], PINGS - len(times))
