"""Measures the running spans, each alone, between the probers at its two ends."""

from __future__ import annotations

import json
import math
import re
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from topologies.emulation.errors import EmulationError
from topologies.emulation.lab import Lab
from topologies.emulation.prober import HEADERS
from topologies.interpreter import PYTHON
from topologies.linkstate import Duplex, LinkState

PINGS = 30
PING_INTERVALS_S = tuple(0.01 + 0.001 * number for number in range(8))
"""Each span's own, so that pings of different spans do not keep meeting in the switches.

As many are pinged together, and no more: a ping takes the switches most of a millisecond of a
processor, so that those of twenty spans at once would measure each other.
"""
PING_BYTES = 98
"""A ping's frame on the wire."""
TRAIN_S = 0.4
TRAIN_FRAMES = (40, 1000)
LONGEST_FRAME_S = 0.02
CONCURRENT_BPS = 400_000_000
"""Trains run at once as long as their rates add up to less than this, which any machine carries."""
DEADLINE_S = 20.0
_PROBER = ["setpriv", "--pdeathsig", "KILL"]
_PROBER += [*PYTHON, "-m", "topologies.emulation.prober"]


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
    """Ping across every span, several at a time; spread is the distance between quartiles."""
    spans, together = list(lab.graph.spans), len(PING_INTERVALS_S)
    found: dict[str, RoundTrips] = {}
    for begin in range(0, len(spans), together):
        found |= _round_trips(lab, spans[begin : begin + together])
    return found


def _round_trips(lab: Lab, spans: Sequence[str]) -> dict[str, RoundTrips]:
    """Ping across spans at the same time.

    Not at real-time priority: ping waits busily, and the switches need the processors.
    """
    outputs: dict[str, str] = {}
    with ExitStack() as stack:
        pings = {}
        for span, interval_s in zip(spans, PING_INTERVALS_S, strict=False):
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
    found: dict[tuple[str, bool], Train] = {}
    waiting = [(span, backward) for span in states for backward in (False, True)]
    while waiting:
        batch: list[tuple[str, bool]] = []
        total_bps = 0
        for item in list(waiting):
            rate_bps = min(states[item[0]].ways[item[1]].rate_bps, access_bps)
            if not batch or total_bps + rate_bps <= CONCURRENT_BPS:
                batch.append(item)
                waiting.remove(item)
                total_bps += rate_bps
        found |= zip(batch, _run_batch(lab, states, batch, access_bps), strict=True)
    return {span: [found[span, False], found[span, True]] for span in states}


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
    """Run trains at the same time; raises EmulationError when their probers fail."""
    asked = []
    for span, backward in batch:
        near, far = lab.graph.probers(span)
        source, sink = (far, near) if backward else (near, far)
        frames, payload_bytes, gap_ns = train_shape(states[span].ways[backward], access_bps)
        asked.append(
            {
                "source": (lab.pid(source.name), source.ip),
                "sink": (lab.pid(sink.name), sink.ip),
                "frames": frames,
                "payload_bytes": payload_bytes,
                "gap_ns": gap_ns,
                "deadline_s": DEADLINE_S / 2,
            }
        )
    try:
        done = subprocess.run(
            _PROBER,
            input=json.dumps(asked),
            stdout=subprocess.PIPE,
            text=True,
            timeout=2 * DEADLINE_S,
            check=True,
        )
    except subprocess.SubprocessError:
        raise EmulationError("a prober did not end well") from None
    return [Train(**found) for found in json.loads(done.stdout)]


def _parse_pings(span: str, output: str) -> RoundTrips:
    times = [float(text) * 1e6 for text in re.findall(r"time=([0-9.]+) ms$", output, re.MULTILINE)]
    if len(times) < 3:
        raise EmulationError(f"span {span} does not answer: {output.strip()[-300:]}")
    # The first packet pays for the switches' look-ups.
    quartiles = statistics.quantiles(times[1:], n=4)
    return RoundTrips(statistics.median(times[1:]), quartiles[2] - quartiles[0], PINGS - len(times))
