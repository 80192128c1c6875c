"""The groups that decide a step's time: which of them a twin keeps, and which it breaks. Pure.

See docs/similarity.md. The real system is taken to train as the twin does, over gloo and Linux's
TCP, with as many connections as one emulated connection stands for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.model.collectives import rounds
from experiments.model.tcp import mean_window
from experiments.scaling import real_connections
from experiments.scenario import Scenario
from experiments.twin import Twin
from topologies.linkstate import ETHERNET_HEADER, Duplex
from topologies.tcp import INITIAL_WINDOW, RTO_MIN_NS, WINDOW_BYTES

KEPT = 0.2
"""A group is kept when real and emulated differ by no more than this share."""


@dataclass(frozen=True)
class Group:
    """One dimensionless group of a span in a state at both scales, and whether the twin keeps it.

    A group that is the job's and no span's has no ``span``.
    """

    span: str
    name: str
    definition: str
    real: float
    emulated: float
    state: str = ""

    @property
    def kept(self) -> bool:
        """Return whether the twin keeps this group."""
        if self.real == self.emulated:
            return True
        largest = max(abs(self.real), abs(self.emulated))
        return abs(self.real - self.emulated) <= KEPT * largest

    def to_json(self) -> dict[str, Any]:
        """Return this as the contract for scripts has it."""
        return {**vars(self), "kept": self.kept}


@dataclass(frozen=True)
class Side:
    """A job at one scale: the real system's or the twin's.

    Attributes:
        connections: over which a real pair of ranks spreads what the twin sends over one.
    """

    ranks: int
    gradient_bytes: int
    bucket_bytes: int
    compute_ns: int
    connections: float
    window_bytes: int
    initial_window: int
    rto_min_ns: int

    def values(self, duplex: Duplex, control: str) -> dict[str, tuple[str, float]]:
        """Return definition and value of each group over a span in a state."""
        way, rtt_ns = duplex.worse, duplex.round_trip_ns
        moved = 2 * (self.ranks - 1) / self.ranks * self.gradient_bytes
        packet = way.mtu + ETHERNET_HEADER
        trip_bytes = way.rate_bps * rtt_ns / 8e9
        window = trip_bytes / packet / self.connections
        buckets = math.ceil(self.gradient_bytes / self.bucket_bytes)
        serial = buckets * rounds(self.bucket_bytes / self.connections, self.ranks)
        queue = min(it.queue_limit_bytes for it in duplex.ways)
        found = {
            "bandwidth": ("2(n-1)/n S / (B T_c)", 8e9 * moved / (way.rate_bps * self.compute_ns)),
            "latency": (
                "k RTT / T_c, k rounds in turn",
                serial * rtt_ns / self.compute_ns,
            ),
        }
        if trip_bytes:
            each = self.connections * self.window_bytes
            found["window"] = ("B RTT / W, of each connection", trip_bytes / each)
            doublings = math.log2(max(1.0, window / self.initial_window))
            found["slow start"] = ("log2(N / 10), N packets of B RTT", doublings)
            found["queue"] = ("Q / (B RTT)", queue / trip_bytes)
        lost = 1 - (1 - way.mean_loss) * (1 - way.corrupt)
        if lost:
            name, value = "p", lost
            if control == "reno":
                name, value = "p N^2", lost * window**2
            elif control == "cubic":
                mean = float(mean_window(control, lost, max(rtt_ns, 1) / 1e9))
                name, value = "(N / w)^2, w cubic's mean window at p", (window / mean) ** 2
            found["loss"] = (name, value)
            found["losses of a step"] = ("p packets", lost * moved / packet)
        found["timeout"] = ("RTO_min / T_c", self.rto_min_ns / self.compute_ns)
        return found


def groups_of(
    scenario: Scenario,
    twin: Twin,
    real: Mapping[str, Duplex],
    emulated: Mapping[str, Duplex],
    state: str = "",
) -> list[Group]:
    """Return the groups of every span in a pair of states, real and emulated."""
    control = scenario.network.congestion_control
    sides = _real_side(scenario, twin), _emulated_side(twin)
    found = []
    for span in real:
        here = sides[0].values(real[span], control)
        there = sides[1].values(emulated[span], control)
        found += [
            Group(span, name, definition, value, there[name][1], state)
            for name, (definition, value) in here.items()
            if name in there
        ]
    return found


def groups_of_run(scenario: Scenario, twin: Twin) -> list[Group]:
    """Return the groups of every state that a span comes to, and those of outages."""
    found: list[Group] = []
    for change in twin.changes:
        if change.kind in ("fail", "restore", "reference", "back"):
            continue  # the same state, or none, or a campus's
        later = change.kind == "age" and not change.first
        kind = change.kind if change.kind == "set" else "older" if later else "aged"
        state = change.phase or change.upgrade or kind
        real, emulated = {change.span: change.real}, {change.span: change.emulated}
        found += groups_of(scenario, twin, real, emulated, state)
    return [*found, *_outages(scenario, twin)]


def summary(scenario: Scenario, twin: Twin) -> dict[str, Any]:
    """Return the ``similarity`` part of a result and of a manifest."""
    emulate, carrying = scenario.emulate, twin.carrying
    return {
        "bytes": str(emulate.bytes),
        "time": str(emulate.time),
        "connections": float(real_connections(emulate)),
        "chosen": bool(twin.because),
        "because": list(twin.because),
        "carrying": carrying
        and {
            "goodput_bps": {str(mtu): bps for mtu, bps in carrying.goodput_bps},
            "path_ns": carrying.path_ns,
            "machine": carrying.machine,
        },
        "groups": [group.to_json() for group in groups_of_run(scenario, twin)],
    }


def verdict(groups: list[dict[str, Any]]) -> str:
    """Say in a sentence which groups of a summary are kept everywhere, and which are not."""
    broken = {it["name"]: "" for it in groups if not it["kept"]}
    kept = dict.fromkeys(it["name"] for it in groups if it["name"] not in broken)
    for name in broken:
        mine = [it for it in groups if it["name"] == name]
        places = [f"{it['span']} {it['state']}".strip() for it in mine if not it["kept"]]
        if len(places) < len(mine):
            broken[name] = f" (on {', '.join(places)})"
    told = ", ".join(f"{name}{where}" for name, where in broken.items())
    return f"Kept: {', '.join(kept) or 'nothing'}. Broken: {told or 'nothing'}."


def _real_side(scenario: Scenario, twin: Twin) -> Side:
    workload = scenario.workload
    return Side(
        ranks=len(twin.graph.workers),
        gradient_bytes=workload.gradients,
        bucket_bytes=workload.bucket,
        compute_ns=workload.compute,
        connections=float(real_connections(scenario.emulate)),
        window_bytes=scenario.network.window or WINDOW_BYTES,
        initial_window=INITIAL_WINDOW,
        rto_min_ns=RTO_MIN_NS,
    )


def _emulated_side(twin: Twin) -> Side:
    tcp = twin.tcp
    return Side(
        ranks=len(twin.graph.workers),
        gradient_bytes=twin.gradient_bytes,
        bucket_bytes=twin.bucket_bytes,
        compute_ns=twin.compute_ns,
        connections=1.0,
        window_bytes=tcp.window_bytes or WINDOW_BYTES,
        initial_window=tcp.initial_window or INITIAL_WINDOW,
        rto_min_ns=tcp.rto_min_ns or RTO_MIN_NS,
    )


def _outages(scenario: Scenario, twin: Twin) -> Iterator[Group]:
    """Yield the groups of the longest outage of each span."""
    workload, time = scenario.workload, scenario.emulate.time
    longest: dict[str, int] = {}
    for change in twin.changes:
        outages = (*change.outages, *twin.outages.get(change.span, ()))
        for begin, end in outages:
            longest[change.span] = max(longest.get(change.span, 0), end - begin)
    for span, emulated_ns in longest.items():
        real_ns = emulated_ns / float(time)
        shares = real_ns / workload.compute, emulated_ns / twin.compute_ns
        yield Group(span, "outage", "longest outage / T_c", *shares)
        if workload.timeout is not None:
            shares = real_ns / workload.timeout, emulated_ns / twin.timeout_ns
            yield Group(span, "patience", "longest outage / timeout", *shares)
