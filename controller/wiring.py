"""The graph's cables, indexed the way a controller asks about them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from topologies.graph import Graph


class Wiring:
    """What is plugged in where; read-only.

    Attributes:
        graph: the graph that all of this was derived from.
        names: switch name by datapath id.
        dpids: datapath id by switch name.
        far: node at the other end of a port, by ``(node, port)``.
        far_port: the port of that node, likewise.
        access: ``(switch, port)`` that a host is plugged into, by host name.
        hosts: host by IPv4 address.
        addresses: IPv4 address by host name.
        campus: campus by name of switch or host.
        span_at: span by the ``(switch, port)`` of its ends.
        span_numbers: a number above 0 for each span.
    """

    def __init__(self, graph: Graph) -> None:
        """Index a graph."""
        self.graph = graph
        self.names = {switch.dpid: switch.name for switch in graph.switches}
        self.dpids = {switch.name: switch.dpid for switch in graph.switches}
        self.far = {(node, port): far for node, port, far, _ in graph.half_links()}
        self.far_port = {
            (node, port): link.b_port if (node, port) == (link.a, link.a_port) else link.a_port
            for node, port, _, link in graph.half_links()
        }
        self.access = {
            link.a: (link.b, link.b_port) for link in graph.links if link.kind == "access"
        }
        self.hosts = {host.ip: host for host in graph.hosts}
        self.addresses = {host.name: host.ip for host in graph.hosts}
        self.campus = {switch.name: switch.campus for switch in graph.switches}
        self.campus |= {host.name: host.campus for host in graph.hosts}
        self.span_at = {
            end: span
            for span, link in graph.spans.items()
            for end in ((link.a, link.a_port), (link.b, link.b_port))
        }
        self.span_numbers = {span: number for number, span in enumerate(graph.spans, start=1)}

    @cached_property
    def networks(self) -> Mapping[str, tuple[str, str]]:
        """Address and mask of the network that holds all workers of a campus and no others."""
        return {host.campus: (_network(host.ip), "255.255.0.0") for host in self.graph.workers}

    @cached_property
    def workers_of(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the workers of each campus that has any."""
        campuses: dict[str, tuple[str, ...]] = {}
        for host in self.graph.workers:
            campuses[host.campus] = (*campuses.get(host.campus, ()), host.name)
        return campuses

    @cached_property
    def edges(self) -> tuple[str, ...]:
        """The switches that workers are plugged into."""
        return tuple(sorted({self.access[host.name][0] for host in self.graph.workers}))

    def ends(self, span: str) -> tuple[tuple[str, int], tuple[str, int]]:
        """Return ``(switch, port)`` of both ends of a span."""
        link = self.graph.spans[span]
        return (link.a, link.a_port), (link.b, link.b_port)


def _network(address: str) -> str:
    first, second, _, _ = address.split(".")
    return f"{first}.{second}.0.0"
