"""The graph's cables, indexed the way a controller asks about them."""

from __future__ import annotations

from topologies.graph import Graph


class Wiring:
    """What is plugged in where; read-only.

    Attributes:
        graph: the graph that all of this was derived from.
        names: switch name by datapath id.
        dpids: datapath id by switch name.
        far: node at the other end of a port, by ``(node, port)``.
        access: ``(switch, port)`` that a host is plugged into, by host name.
        hosts: host by IPv4 address.
        addresses: IPv4 address by host name.
    """

    def __init__(self, graph: Graph) -> None:
        """Index a graph."""
        self.graph = graph
        self.names = {switch.dpid: switch.name for switch in graph.switches}
        self.dpids = {switch.name: switch.dpid for switch in graph.switches}
        self.far = {(node, port): far for node, port, far, _ in graph.half_links()}
        self.access = {
            link.a: (link.b, link.b_port) for link in graph.links if link.kind == "access"
        }
        self.hosts = {host.ip: host for host in graph.hosts}
        self.addresses = {host.name: host.ip for host in graph.hosts}
