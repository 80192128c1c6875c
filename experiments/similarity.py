"""The groups that decide a step's time: which of them a twin keeps, and which it breaks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from experiments.model.collectives import SEGMENT_BYTES
from experiments.scenario import Scenario
from experiments.twin import Twin
from topologies.linkstate import ETHERNET_HEADER, Duplex

RTO_MIN_NS = 200_000_000
"""Linux's smallest retransmission timeout; it cannot be scaled."""
KEPT = 0.2
"""A group is kept when real and emulated differ by no more than this share."""


@dataclass(frozen=True)
class Group:
    """One dimensionless group of a span at both scales, and whether the twin keeps it."""

    span: str
    name: str
    definition: str
    real: float
    emulated: float

    @property
    def kept(self) -> bool:
        """Return whether the twin keeps this group."""
        if self.real == self.emulated:
            return True
        largest = max(abs(self.real), abs(self.emulated))
        return abs(self.real - self.emulated) <= KEPT * largest


def groups_of(
    scenario: Scenario, twin: Twin, real: Mapping[str, Duplex], emulated: Mapping[str, Duplex]
) -> list[Group]:
    """Return the groups of every span in a pair of states, real and emulated."""
    workload = scenario.workload
    ranks = len(twin.graph.workers)
    sizes = (workload.gradients, twin.gradient_bytes)
    computes = (workload.compute, twin.compute_ns)
    found = []
    for span in real:
        ways = real[span].worse, emulated[span].worse
        moved = [2 * (ranks - 1) / ranks * size for size in sizes]
        values: dict[str, tuple[str, list[float]]] = {"bandwidth": ("2(n-1)/n S / (B T_c)", [])}
        values["latency"] = ("k RTT / T_c, k segments one after the other", [])
        values["loss"] = ("p N^2, N the bandwidth-delay product in packets", [])
        values["timeout"] = ("RTO_min / T_c", [])
        for way, size, bytes_moved, compute_ns in zip(ways, sizes, moved, computes, strict=True):
            rtt_ns = 2 * way.delay_ns
            rounds = max(1.0, size / SEGMENT_BYTES) * (ranks - 1) / ranks
            packets = way.rate_bps * rtt_ns / 1e9 / 8 / (way.mtu + ETHERNET_HEADER)
            values["bandwidth"][1].append(bytes_moved * 8e9 / (way.rate_bps * compute_ns))
            values["latency"][1].append(rounds * rtt_ns / compute_ns)
            values["loss"][1].append(way.mean_loss * packets**2)
            values["timeout"][1].append(RTO_MIN_NS / compute_ns if way.loss else 0.0)
        found += [
            Group(span, name, definition, *numbers)
            for name, (definition, numbers) in values.items()
        ]
    return found
