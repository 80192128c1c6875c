"""The way a packet takes through a live lab, seen on the wire, against what the rules say."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controller.messages import Way
from controller.trace import Port
from experiments.attach import LiveLab
from topologies.emulation.lab import HOST_INTERFACE
from topologies.emulation.tracer import trace
from topologies.graph import Graph

TRIES = 5
"""A span may lose a probe: as many are sent until one arrives."""
SILENCE_S = 1.0
PROBE_PORT = 33434
_PROTOCOL, _UDP = 23, 17
"""Where a frame says what it carries: an answer that quotes the probe is not the probe."""


@dataclass(frozen=True)
class Seen:
    """What was seen of a packet.

    Attributes:
        hops: ``(switch, port)`` that it left by, in order, of those with a wire.
        unwired: how many hops of the intended way have none.
        arrived: whether the last of them leads to the target.
        intended: whether these are the hops of one of the ways that the rules allow.
    """

    hops: tuple[Port, ...]
    unwired: int
    arrived: bool
    intended: bool


def trace_path(
    lab: LiveLab, graph: Graph, source: str, target: str, ways: Sequence[Way], source_port: int
) -> Seen:
    """Send a packet from one worker to another and follow it from wire to wire."""
    wired = set(lab.devices.values())
    allowed = {tuple(hop for hop in way.ports if hop in wired): way for way in ways}
    for _ in range(TRIES):
        marker = os.urandom(16)
        frame = _frame(graph, source, target, marker, source_port)
        found = trace(
            frame, _is_ours(marker), lab.hosts[source], HOST_INTERFACE, lab.devices, SILENCE_S
        )
        hops = tuple((it.switch, it.port) for it in found if it.leaves)
        way = allowed.get(hops)
        unwired = len(way.ports) - len(hops) if way else 0
        last = next((link for link in graph.links if link.a == target), None)
        arrived = last is not None and hops[-1:] == ((last.b, last.b_port),)
        seen = Seen(hops, unwired, arrived, way is not None)
        if arrived:
            break
    return seen


def _frame(graph: Graph, source: str, target: str, marker: bytes, source_port: int) -> bytes:
    """Craft a UDP datagram that carries the marker, as the source's kernel would send it."""
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether
    from scapy.packet import Raw

    hosts = {host.name: host for host in graph.hosts}
    ends = hosts[source], hosts[target]
    packet = (
        Ether(src=ends[0].mac, dst=ends[1].mac)
        / IP(src=ends[0].ip, dst=ends[1].ip, ttl=64)
        / UDP(sport=source_port, dport=PROBE_PORT)
        / Raw(marker)
    )
    return bytes(packet)


def _is_ours(marker: bytes) -> Callable[[bytes], bool]:
    return lambda frame: frame[_PROTOCOL] == _UDP and frame.endswith(marker)
