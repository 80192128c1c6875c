"""The policy ``shortest-delay``."""

from __future__ import annotations

from collections.abc import Mapping

import networkx as nx

from controller.routes import Routes
from topologies.graph import Graph
from topologies.linkstate import LinkState

Cable = tuple[str, str, int, int]
"""Neighbour, span, port, weight of one cable, seen from one of its ends."""


def shortest_delay(graph: Graph, links: Mapping[str, LinkState]) -> Routes:
    """Send traffic the way that takes least one-way delay, whatever its capacity.

    Queueing does not count. Ties go to fewer hops, then to the neighbour and span that come first
    by name. Spans that are down are not used.
    """
    # One integer orders by delay first and by hops second: no path has as many as `unit` hops.
    unit = len(graph.switches) + 1
    cables: dict[str, list[Cable]] = {switch.name: [] for switch in graph.switches}
    network: nx.MultiGraph[str] = nx.MultiGraph()
    network.add_nodes_from(cables)
    for link in graph.links:
        if link.kind == "access":
            continue
        delay_ns, span = link.delay_ns, link.span or ""
        if span:
            if not links[span].up:
                continue
            delay_ns = links[span].delay_ns
        weight = delay_ns * unit + 1
        network.add_edge(link.a, link.b, weight=weight)
        cables[link.a].append((link.b, span, link.a_port, weight))
        cables[link.b].append((link.a, span, link.b_port, weight))
    access = {link.a: (link.b, link.b_port) for link in graph.links if link.kind == "access"}
    trees: dict[str, dict[str, int]] = {}
    toward: dict[str, dict[str, int]] = {}
    for worker in graph.workers:
        switch, port = access[worker.name]
        if switch not in trees:
            trees[switch] = _tree(network, cables, switch)
        toward[worker.name] = {**trees[switch], switch: port}
    return Routes(toward)


def _tree(network: nx.MultiGraph[str], cables: dict[str, list[Cable]], root: str) -> dict[str, int]:
    """Return the port towards the root at every other switch that reaches it."""
    distance = nx.single_source_dijkstra_path_length(network, root, weight="weight")
    ports: dict[str, int] = {}
    for switch, left in distance.items():
        if switch != root:
            _, _, ports[switch] = min(
                (far, span, port)
                for far, span, port, weight in cables[switch]
                if distance[far] + weight == left
            )
    return ports
