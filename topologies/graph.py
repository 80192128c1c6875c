"""The network as a pure graph: names, ports, datapath ids, addresses.

Built from a `NetworkSpec`, written to the run folder as JSON, read by the controller; the
emulation follows it to the letter, so that a rule computed from the graph fits the real ports.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from topologies.errors import NetworkError
from topologies.fabrics import FABRICS
from topologies.spec import NetworkSpec, worker_name

MAX_SPAN_INDEX = 250


@dataclass(frozen=True)
class Host:
    """A worker's machine, or a prober (``probes`` names its span) that measures one span alone."""

    name: str
    campus: str
    ip: str
    mac: str
    probes: str | None = None


@dataclass(frozen=True)
class Switch:
    """An OpenFlow switch; ``dpid`` is its 64-bit datapath id."""

    name: str
    campus: str
    dpid: int


@dataclass(frozen=True)
class Link:
    """A cable from port ``a_port`` of node ``a`` to ``b_port`` of ``b``; hosts use port 0."""

    kind: Literal["access", "fabric", "span"]
    a: str
    a_port: int
    b: str
    b_port: int
    delay_ns: int
    span: str | None = None


@dataclass(frozen=True)
class Graph:
    """Every node and cable of the network; `hosts` are in rank order, probers last."""

    hosts: tuple[Host, ...]
    switches: tuple[Switch, ...]
    links: tuple[Link, ...]

    @property
    def workers(self) -> tuple[Host, ...]:
        """The hosts that train, in rank order."""
        return tuple(host for host in self.hosts if host.probes is None)

    @property
    def spans(self) -> dict[str, Link]:
        """The links between campuses by name; ``a`` is the first campus's border switch."""
        return {link.span: link for link in self.links if link.span}

    def probers(self, span: str) -> tuple[Host, Host]:
        """Return the two probers of a span, at its first and at its second campus."""
        first, second = (host for host in self.hosts if host.probes == span)
        return first, second

    def half_links(self) -> Iterator[tuple[str, int, str, Link]]:
        """Yield ``(node, port, neighbour, link)`` for both ends of every link."""
        for link in self.links:
            yield link.a, link.a_port, link.b, link
            yield link.b, link.b_port, link.a, link

    def to_json(self) -> str:
        """Return the graph as JSON text."""
        return json.dumps(asdict(self), indent=1)

    @staticmethod
    def from_json(text: str) -> Graph:
        """Read what `to_json` wrote."""
        data = json.loads(text)
        return Graph(
            tuple(Host(**host) for host in data["hosts"]),
            tuple(Switch(**switch) for switch in data["switches"]),
            tuple(Link(**link) for link in data["links"]),
        )


def build_graph(spec: NetworkSpec) -> Graph:
    """Lay out campuses, fabrics, workers, spans and probers; the same spec gives the same graph.

    Workers of campus number c (from 1) have addresses 10.c.0.1 and up; the probers of span number
    s are 10.255.s.1 and 10.255.s.2.
    """
    if len(spec.spans) > MAX_SPAN_INDEX:
        raise NetworkError(f"more than {MAX_SPAN_INDEX} spans")
    hosts: list[Host] = []
    switches: list[Switch] = []
    links: list[Link] = []
    ports: dict[str, int] = {}

    def port_of(node: str) -> int:
        ports[node] = ports.get(node, 0) + 1
        return ports[node]

    def join(
        kind: Literal["fabric", "span"], a: str, b: str, delay_ns: int, span: str | None
    ) -> None:
        links.append(Link(kind, a, port_of(a), b, port_of(b), delay_ns, span))

    def attach(host: Host, switch: str, delay_ns: int) -> None:
        hosts.append(host)
        links.append(Link("access", host.name, 0, switch, port_of(switch), delay_ns))

    for number, (campus, campus_spec) in enumerate(spec.campuses.items(), start=1):
        fabric_spec = campus_spec.fabric
        fabric = FABRICS[fabric_spec.kind](fabric_spec)
        for name in fabric.switches:
            switches.append(Switch(f"{campus}-{name}", campus, len(switches) + 1))
        for a, b in fabric.cables:
            join("fabric", f"{campus}-{a}", f"{campus}-{b}", fabric_spec.delay, None)
        for index in range(campus_spec.workers):
            ip = f"10.{number}.0.{index + 1}"
            edge = fabric.edges[index % len(fabric.edges)]
            host = Host(worker_name(campus, index), campus, ip, _mac(ip))
            attach(host, f"{campus}-{edge}", fabric_spec.delay)
    for number, name in enumerate(spec.spans, start=1):
        first, second = spec.ends_of(name)
        join("span", f"{first}-border", f"{second}-border", 0, name)
        for end, campus in enumerate((first, second), start=1):
            ip = f"10.255.{number}.{end}"
            attach(Host(f"{name}-p{end}", campus, ip, _mac(ip), probes=name), f"{campus}-border", 0)
    return Graph(tuple(hosts), tuple(switches), tuple(links))


def _mac(ip: str) -> str:
    """Return a locally administered MAC address that spells the IPv4 address."""
    return "02:00:" + ":".join(f"{int(part):02x}" for part in ip.split("."))
