"""The spans as arrays, and what a flow finds on its way over them. Vectorised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from experiments.model import tcp
from experiments.model.collectives import Edges
from experiments.model.job import Cause, Crossings, Job
from topologies.linkstate import ETHERNET_HEADER, Duplex

UNLIMITED_BPS = 1e18
_NUMBERS = 5
"""Of a direction, see `_numbers`."""
OUTAGE_STALL = 2.0
"""Stall per second of outage: TCP doubles its timeout, so that a retransmission finds the link up
again after twice the outage at worst (grade: measured; 8 s of outage stalled a step 16.5 s)."""


@dataclass(frozen=True)
class Spans:
    """Both ways of some spans in several states: arrays of shape (states, spans, 2).

    Attributes:
        number: of each span, by its name.
        down: share of time that a span is down.
    """

    number: Mapping[str, int]
    rate_bps: Any
    delay_s: Any
    loss: Any
    up: Any
    queue_bytes: Any
    down: Any

    @staticmethod
    def of(states: Sequence[Mapping[str, Duplex]], mtu: int, down: Mapping[str, float]) -> Spans:
        """Return some states of the same spans."""
        names = list(states[0])
        read = [[[_numbers(way, mtu) for way in one[n].ways] for n in names] for one in states]
        values = np.array(read, dtype=float).reshape(len(states), len(names), 2, _NUMBERS)
        return Spans._from(names, values, np.array([down.get(name, 0.0) for name in names]))

    @staticmethod
    def chosen(options: Mapping[str, Sequence[Duplex]], sets: Any, mtu: int) -> Spans:
        """Return the states that rows of numbers choose from each span's options."""
        columns = []
        for column, choices in enumerate(options.values()):
            table = np.array([[_numbers(way, mtu) for way in one.ways] for one in choices])
            columns.append(table[sets[:, column]])
        return Spans._from(list(options), np.stack(columns, axis=1), np.zeros(len(options)))

    @staticmethod
    def _from(names: Sequence[str], values: Any, down: Any) -> Spans:
        rate_bps, delay_s, loss, up, queue_bytes = np.moveaxis(values, -1, 0)
        return Spans(
            number={name: index for index, name in enumerate(names)},
            rate_bps=rate_bps,
            delay_s=delay_s,
            loss=loss,
            up=up,
            queue_bytes=queue_bytes,
            down=np.broadcast_to(down, values.shape[:2]),
        )

    def rows(self, rows: Any) -> Spans:
        """Return some of the states."""
        return replace(
            self,
            rate_bps=self.rate_bps[rows],
            delay_s=self.delay_s[rows],
            loss=self.loss[rows],
            up=self.up[rows],
            queue_bytes=self.queue_bytes[rows],
            down=self.down[rows],
        )

    def __len__(self) -> int:
        return len(self.rate_bps)

    def without(self, cause: Cause) -> Spans:
        """Return the spans as they would be without a cause that lies in them."""
        if cause == "bandwidth":
            return replace(self, rate_bps=np.full_like(self.rate_bps, UNLIMITED_BPS))
        if cause == "loss":
            return replace(self, loss=np.zeros_like(self.loss))
        if cause == "outage":
            return replace(self, down=np.zeros_like(self.down), up=np.ones_like(self.up))
        return self

    def crossed(self, crossings: Crossings, ring: Sequence[str]) -> list[int]:
        """Return the numbers of the spans that a ring uses."""
        pairs = {pair for edge in _edges(ring) for pair in (edge, edge[::-1])}
        names = {span for pair in pairs for span, _ in crossings.get(pair, ())}
        return sorted(self.number[name] for name in names)

    def stalled(self, crossings: Crossings, ring: Sequence[str]) -> Any:
        """Return the share of time that steps stand still because some span is down."""
        used = self.down[:, self.crossed(crossings, ring)]
        return np.minimum(1.0, OUTAGE_STALL * (1 - np.prod(1 - used, axis=1)))

    def cut(self, crossings: Crossings, ring: Sequence[str]) -> Any:
        """Return where a crossed span is down for good, or no way leads to the next site."""
        lost = any(a != b and not crossings.get((a, b)) for a, b in _edges(ring))
        return lost | (self.up[:, self.crossed(crossings, ring)] == 0).any(axis=(1, 2))


def _numbers(way: Any, mtu: int) -> tuple[float, ...]:
    loss = 1 - (1 - way.loss.of_frames(mtu + ETHERNET_HEADER)) * (1 - way.corrupt)
    return way.rate_bps, way.delay_ns / 1e9, loss, way.up, way.queue_limit_bytes


def _edges(ring: Sequence[str]) -> list[tuple[str, str]]:
    """Return sender and receiver of each edge: gloo's ranks send to the one before."""
    return [(site, ring[index - 1]) for index, site in enumerate(ring)] if len(ring) > 1 else []


def edges_of(
    job: Job, crossings: Crossings, spans: Spans, without: Cause | None, pftk: bool
) -> tuple[Edges, Any]:
    """Return a ring's distinct edges, and the time (s) that windows take to open once a step."""
    counts = Counter(_edges(job.ring))
    flows: Counter[tuple[str, int]] = Counter()
    for pair, count in counts.items():
        for hop in crossings.get(pair, ()):
            flows[hop] += count * job.slices
    access_bps = UNLIMITED_BPS if without == "bandwidth" else job.access_bps
    crossing = sum(count for pair, count in counts.items() if crossings.get(pair)) * job.slices
    found: list[tuple[Any, ...]] = []
    opening = [np.zeros(len(spans))]
    for a, b in counts:
        out, back = crossings.get((a, b), ()), crossings.get((b, a), ())
        share, kept = np.full(len(spans), float(access_bps)), np.ones(len(spans))
        rtt = np.full(len(spans), job.fabric_rtt_s if a == b else 0.0)
        for span, way in (*out, *back):
            rtt = rtt + spans.delay_s[:, spans.number[span], way]
        sharing, room = np.ones(len(spans)), np.full(len(spans), np.inf)
        for span, way in out:
            at, many = spans.number[span], flows[span, way]
            narrower = spans.rate_bps[:, at, way] / many < share
            share = np.where(narrower, spans.rate_bps[:, at, way] / many, share)
            held = spans.queue_bytes[:, at, way] + spans.rate_bps[:, at, way] * rtt / 8
            sharing, room = np.where(narrower, many, sharing), np.where(narrower, held, room)
            kept = kept * (1 - spans.loss[:, at, way])
        share = share * tcp.goodput_share(job.mtu)
        # A round trip holds a full frame and its acknowledgement.
        trip = rtt + 8 * (job.mtu + ETHERNET_HEADER) / share + 1e-6
        if pftk:
            limit = tcp.pftk_bps(1 - kept, trip, job.mtu, job.rto_min_s)
        else:
            limit = tcp.loss_limit_bps(job.congestion_control, 1 - kept, trip, share, job.mtu)
        if job.congestion_control != "bbr":
            limit = limit / tcp.straggling(crossing)
        rate = tcp.combined_bps(job.congestion_control, share, limit)
        if without != "window":
            rate = np.minimum(rate, 8 * job.window_bytes / trip)
            opening.append(opening_s(job, rate, rtt))
        found.append((rate, rtt, 1 - kept, sharing, room))
    if not found:
        found.append(tuple(np.full(len(spans), value) for value in (1.0, 0.0, 0.0, 1.0, np.inf)))
    edges = Edges(*(np.stack(values, axis=1) for values in zip(*found, strict=True)))
    return edges, np.max(opening, axis=0)


def opening_s(job: Job, rate_bps: Any, rtt_s: Any) -> Any:
    """Return how long a window that idle time closed takes to open again, each synchronisation.

    It doubles every round trip from its first segments to what the rate needs.
    """
    idle_s = job.buckets()[0][1] + (job.period - 1) * job.compute_s
    needed = rate_bps * rtt_s / 8 / (job.mtu - tcp.HEADERS)
    late = np.log2(np.maximum(1.0, needed / job.initial_window)) * rtt_s
    if job.congestion_control == "bbr":
        return np.zeros_like(late)
    return np.where(idle_s > job.rto_min_s + rtt_s, late, 0.0)


def inside(job: Job, states: int, without: Cause | None) -> Edges:
    """Return the edge between two workers of a campus."""
    access_bps = UNLIMITED_BPS if without == "bandwidth" else job.access_bps
    one = np.ones((states, 1))
    rate = access_bps * tcp.goodput_share(job.mtu)
    return Edges(one * rate, one * job.fabric_rtt_s, one * 0.0, one, one * np.inf)
