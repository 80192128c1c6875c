"""Whether one direction of a span does what it should: measured against intended. Pure.

Every quantity comes with the bounds that a correct link keeps, from `experiments.chances`; what the
machine itself adds to times is stated here.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from experiments import arrivals
from experiments.arrivals import Flow
from experiments.chances import Bounds, Simulation, binomial_bounds, burst_bounds, loss_bounds
from experiments.fidelity import LATENESS_P99_US, RATE_TOLERANCE, RTT_TOLERANCE_NS, SIGMAS
from experiments.probing import PINGS, RoundTrips
from topologies.linkstate import ETHERNET_HEADER, Duplex, LinkState
from topologies.units import UNITS, render

STRETCHES = 10
"""Of a train, whose median is its rate."""
TCP_HEADERS = 20 + 32
"""IPv4, and TCP with its time stamps."""
ACK_FRAME = ETHERNET_HEADER + TCP_HEADERS
RENO_LEAST = 0.75
"""Share of a link that a Reno flow uses at the least: its window swings between half and all."""
LONG_ROUND_TRIP_NS = 50_000_000
"""Up to it TCP has opened its window within the second that is left out of its goodput."""
RECEIVE_BUFFER_BYTES = 6 << 20
"""What TCP holds at the most behind a lost segment: Linux's largest, by net.ipv4.tcp_rmem."""
SOME_LOSS = 0.01
"""Of acknowledgements, which stand for all before them."""
TOO_SHORT = "shorter than the switches' own path: raise emulate.time"


@dataclass(frozen=True)
class Intent:
    """One direction of a span, and what stands around it.

    Attributes:
        access_bps: rate of the probers' own links.
        floor: what the switches add to a round trip.
    """

    span: str
    duplex: Duplex
    backward: bool
    access_bps: int
    floor: RoundTrips

    @property
    def way(self) -> LinkState:
        """Return the direction's state."""
        return self.duplex.ways[self.backward]

    @property
    def rate_bps(self) -> int:
        """Return the rate that can be seen between the probers."""
        return min(self.way.rate_bps, self.access_bps)


@dataclass(frozen=True)
class Probed:
    """What probes found: ``flow`` this way, ``there`` the forward one; round trips in ns."""

    frame_bytes: int
    flow: Flow
    there: Flow
    round_trips: tuple[int, ...]


@dataclass(frozen=True)
class Filled:
    """What a train found that kept the direction busy, and what its queue then held at most.

    Attributes:
        head: frames that were sent at once.
        saturated: whether the span was the slowest part of the way, so that its queue filled.
        dropped: frames of the train that found the queue full; None where that is not told.
        deepest_bytes: 0 where it is not measured.
        queue_bytes: what the queue should hold of such frames.
        flooded: whether it was made to run over.
    """

    frame_bytes: int
    head: int
    saturated: bool
    train: Flow
    dropped: int | None
    deepest_bytes: int
    queue_bytes: int
    flooded: bool


@dataclass(frozen=True)
class Row:
    """One quantity: what was measured, and what a correct link shows.

    ``key`` is its name in JSON, ``unit`` one of `topologies.units` or a word.
    """

    key: str
    name: str
    unit: str
    bounds: Bounds
    measured: float

    @property
    def ok(self) -> bool:
        """Ask whether it is within its bounds."""
        return self.bounds.admit(self.measured)

    def show(self, value: float) -> str:
        """Return a value of this quantity as text."""
        return render(value, self.unit) if self.unit in UNITS else f"{value:.3g}"

    @property
    def allowed(self) -> str:
        """Return the bounds as text."""
        return f"{self.show(self.bounds.low)} to {self.show(self.bounds.high)}"

    @property
    def reason(self) -> str:
        """Say what is wrong."""
        measured, intended = self.show(self.measured), self.show(self.bounds.mean)
        return f"{self.name} is {measured}: {intended} intended, {self.allowed} allowed"


@dataclass
class Direction:
    """The verdict on one direction of a span."""

    span: str
    direction: str
    rows: list[Row] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """Say all that is wrong."""
        return [*self.faults, *(row.reason for row in self.rows if not row.ok)]

    @property
    def ok(self) -> bool:
        """Ask whether the direction is as intended."""
        return not self.reasons

    def to_json(self) -> dict[str, Any]:
        """Return the contract for scripts; a quantity that could not be judged is null."""
        found = {row.key: row for row in self.rows}
        return {
            "span": self.span,
            "direction": self.direction,
            "intended": {key: found[key].bounds.mean if key in found else None for key in INTENDED},
            "measured": {key: found[key].measured if key in found else None for key in MEASURED},
            "ok": self.ok,
            "reasons": self.reasons,
        }


INTENDED = ("rate_bps", "rtt_ns", "jitter_ns", "loss")
MEASURED = (
    *INTENDED,
    "goodput_bps",
    "one_way_ns",
    "interarrival_jitter_ns",
    "burst",
    "full_frame_loss",
    "dropped",
    "duplicated",
    "reordered",
    "spacing_median_ns",
    "spacing_p99_ns",
    "queue_bytes",
)


def judge(
    intent: Intent, probed: Probed, filled: Filled, goodput_bps: float | None, seconds: float
) -> Direction:
    """Compare everything that was measured of a direction, TCP for some time, with its state."""
    verdict = Direction(intent.span, "backward" if intent.backward else "forward")
    if intent.floor.median_ns > 2 * intent.way.delay_ns:
        verdict.faults.append(TOO_SHORT)
    if not probed.flow.seen and not probed.flow.sent:
        verdict.faults.append("no probe came back: the other direction lets nothing through")
    verdict.rows += of_losses(intent.way, probed)
    if len(probed.flow.times[0]) >= 2 * arrivals.WARM_UP and probed.round_trips:
        verdict.rows += of_times(intent, probed)
    elif intent.way.up:
        verdict.faults.append("too few probes arrived to tell delays")
    if intent.way.up:
        verdict.rows += of_train(intent, filled)
        if goodput_bps is None:
            verdict.faults.append("TCP came to nothing: iperf3 reports no goodput")
        else:
            verdict.rows.append(of_goodput(intent, goodput_bps, seconds))
    return verdict


def of_losses(way: LinkState, probed: Probed) -> list[Row]:
    """Judge the count and the bursts of losses, and duplicates."""
    flow, frame = probed.flow, probed.frame_bytes
    rows = []
    if flow.sent:
        bounds = loss_bounds(way, frame, flow.sent)
        rows.append(_share("loss", "loss", bounds, flow.lost, flow.sent))
    bursts = arrivals.mean_burst(flow.bursts)
    likely = burst_bounds(way, frame, len(flow.bursts))
    if likely and bursts:
        rows.append(Row("burst", "mean burst of losses", "frames", likely, bursts))
    copies = binomial_bounds(len(flow.first_copies), way.duplicate)
    rows.append(Row("duplicated", "duplicates", "frames", copies, flow.duplicated))
    return rows


def of_times(intent: Intent, probed: Probed) -> list[Row]:
    """Judge one-way delay, round trip, jitter and order."""
    way, floor_ns = intent.way, intent.floor.median_ns / 2
    sent, received = probed.flow.times
    drawn = Simulation(sent, probed.frame_bytes, floor_ns).bounds([way], ESTIMATES)
    seen = {name: float(of(sent, received[None, :])[0]) for name, of in ESTIMATES.items()}
    there, _ = probed.there.times
    both = Simulation(there, probed.frame_bytes, floor_ns).bounds(
        list(intent.duplex.ways), {"round trip": arrivals.median_delay}
    )["round trip"]
    round_trip_ns = float(np.median(probed.round_trips))
    stray_ns = straying_ns(intent.floor)
    one_way = drawn["one-way delay"].widened(stray_ns)
    changes = drawn["interarrival jitter"]
    changes = replace(changes, high=math.hypot(changes.high, 2 * stray_ns))
    rows = [
        Row("rtt_ns", "round trip", "duration", both.widened(2 * stray_ns), round_trip_ns),
        Row("one_way_ns", "one-way delay", "duration", one_way, seen["one-way delay"]),
    ]
    if not way.reorder:
        deviation_ns = way.jitter.deviation_ns if way.jitter else 0
        rows.append(_jitter(deviation_ns, drawn["deviation"], seen["deviation"], stray_ns))
    name = "interarrival jitter"
    rows.append(Row("interarrival_jitter_ns", name, "duration", changes, seen[name]))
    rows.append(Row("reordered", "overtaken", "frames", drawn["overtaken"], seen["overtaken"]))
    return rows


ESTIMATES = {
    "one-way delay": arrivals.median_delay,
    "deviation": arrivals.deviation,
    "interarrival jitter": arrivals.interarrival_jitter,
    "overtaken": arrivals.reordered,
}


def straying_ns(floor: RoundTrips) -> float:
    """Return how far a one-way delay may be off by the switches and the probers alone.

    Waking processes varies by `RTT_TOLERANCE_NS` at the least. What was taken off the span's delay
    is half of a median of few pings (an error of 1.25 sigma / sqrt(n), sigma from the quartiles),
    and its halves need not be alike.
    """
    sigma_ns = floor.spread_ns / 1.35
    return RTT_TOLERANCE_NS + SIGMAS * 1.25 * sigma_ns / math.sqrt(max(1, PINGS - floor.lost))


def _jitter(intended_ns: int, drawn: Bounds, seen_ns: float, stray_ns: float) -> Row:
    """Judge the deviation, stated as the one that a link would have whose probes strayed so far.

    The estimator is smaller than the deviation: the latest packets are left out, and frames that
    wait for those before them are drawn together.
    """
    scale = intended_ns / drawn.mean if drawn.mean else 1.0
    high = math.hypot(drawn.high, stray_ns) * scale
    bounds = Bounds(drawn.low * scale, intended_ns, high)
    return Row("jitter_ns", "jitter", "duration", bounds, seen_ns * scale)


def of_train(intent: Intent, filled: Filled) -> list[Row]:
    """Judge rate, spacing and queue of a direction that was kept busy."""
    way, frame, train = intent.way, filled.frame_bytes, filled.train
    frame_ns = frame * 8e9 / intent.rate_bps
    tolerance = RATE_TOLERANCE
    if way.jitter:
        # Jitter moves both ends of a stretch; the rate is the median of ten.
        moved = math.sqrt(2) * way.jitter.deviation_ns * STRETCHES / (train.sent * frame_ns)
        tolerance += SIGMAS * 1.25 * moved / math.sqrt(STRETCHES)
    # Frames that found the queue full took no time on the wire, as lost ones did.
    rate_bps = arrivals.wire_rate_bps(train, frame) * (1 - (filled.dropped or 0) / train.sent)
    near = Bounds(intent.rate_bps, intent.rate_bps, intent.rate_bps)
    rows = [Row("rate_bps", "wire rate", "rate", near.widened(tolerance * near.mean), rate_bps)]
    spacings = arrivals.spacings_ns(train, filled.head)
    if filled.saturated and spacings and not (way.jitter or way.reorder or way.duplicate):
        median_ns = statistics.median(spacings)
        near = Bounds(frame_ns, frame_ns, frame_ns).widened(RATE_TOLERANCE * frame_ns)
        rows.append(Row("spacing_median_ns", "spacing, median", "duration", near, median_ns))
        near = replace(near, high=frame_ns + LATENESS_P99_US * 1000)
        rows.append(Row("spacing_p99_ns", "spacing, p99", "duration", near, least_p99(spacings)))
    if filled.dropped is not None and not way.red:
        # The train is made to fill three quarters of the queue; of a slower link it overflows.
        none = Bounds(0, 0, 0)
        rows.append(Row("dropped", "found the queue full", "frames", none, filled.dropped))
    if filled.dropped is not None and (passed := train.sent - filled.dropped) > 0:
        bounds, lost = loss_bounds(way, frame, passed), train.lost - filled.dropped
        rows.append(_share("full_frame_loss", "loss of full frames", bounds, lost, passed))
    if filled.deepest_bytes:
        full = filled.queue_bytes
        depth = Bounds(full - frame + 1 if filled.flooded else 0, full, full)
        rows.append(Row("queue_bytes", "deepest queue", "size", depth, filled.deepest_bytes))
    return rows


def least_p99(ordered: Sequence[float]) -> float:
    """Return the least that the 99th percentile can be of which this is a sorted sample.

    Beyond it lie no more values than 1 % of them may be; of a few hundred frames the plain
    percentile is one or two values, which say little.
    """
    beyond = int(binomial_bounds(len(ordered), 0.01).high)
    return ordered[max(0, len(ordered) - 1 - beyond)]


def _share(key: str, name: str, bounds: Bounds, lost: int, sent: int) -> Row:
    shares = Bounds(bounds.low / sent, bounds.mean / sent, bounds.high / sent)
    return Row(key, name, "share", shares, lost / sent)


def of_goodput(intent: Intent, goodput_bps: float, seconds: float) -> Row:
    """Judge what TCP gets through by what its packets leave of the rate, and by its own model.

    Through random losses p Reno gets MSS / RTT x sqrt(3 / (2 b p)), with b = 2 packets to an
    acknowledgement (Mathis et al., 1997); cubic and bbr get as much or more. Two losses in a row
    leave a quarter of the window, so where the model allows four times the rate, the link is busy.
    What TCP takes for congestion without a model of it sets no lower bound.
    """
    way, back = intent.way, intent.duplex.ways[not intent.backward]
    segment, frame = way.mtu - TCP_HEADERS, way.mtu + ETHERNET_HEADER
    # One acknowledgement for two segments.
    link_bps = min(intent.rate_bps, back.rate_bps / ACK_FRAME * 2 * frame) * segment / frame
    disturbed = any(
        state.jitter or state.reorder or state.duplicate or state.red or state.loss.clustering > 1
        for state in intent.duplex.ways
    )
    lost = 1 - (1 - way.loss.of_frames(frame)) * (1 - way.corrupt)
    least = 0.0
    if not (disturbed or way.loss.pattern or back.mean_loss + back.corrupt > SOME_LOSS):
        model_bps = math.inf
        if lost:
            round_trip_s = intent.duplex.round_trip_ns / 1e9 + 2 * frame * 8 / intent.rate_bps
            model_bps = segment * 8 / round_trip_s * math.sqrt(3 / (4 * lost))
        if model_bps >= 4 * link_bps and intent.duplex.round_trip_ns <= LONG_ROUND_TRIP_NS:
            least = RENO_LEAST * link_bps
    # What stood behind a lost segment as the time began may be read within it.
    most = link_bps * (1 + RATE_TOLERANCE) + 8 * RECEIVE_BUFFER_BYTES / seconds
    bounds = Bounds(least, link_bps, most)
    return Row("goodput_bps", "goodput", "rate", bounds, goodput_bps)
