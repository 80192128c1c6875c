"""Which spans traffic between campuses crosses under a policy. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from controller import policies
from topologies.graph import Graph
from topologies.linkstate import Duplex

Crossings = Mapping[tuple[str, str], tuple[tuple[str, int], ...]]
"""For every ordered pair of campuses the spans on the way, each with its direction, 0 or 1."""


class CutOff(Exception):
    """A campus that no span reaches."""


def crossings_of(graph: Graph, policy: str, states: Mapping[str, Duplex]) -> Crossings:
    """Return the crossings that a policy decides on; raises `CutOff` where a campus has none."""
    routes = policies.load(policy)(graph, {span: duplex.worse for span, duplex in states.items()})
    first = {host.campus: host.name for host in reversed(graph.workers)}
    leads: dict[tuple[str, int], tuple[str, str, int]] = {}
    switch_of: dict[str, str] = {}
    for link in graph.links:
        leads[link.a, link.a_port] = (link.b, link.span or "", 0)
        leads[link.b, link.b_port] = (link.a, link.span or "", 1)
        if link.kind == "access":
            switch_of[link.a] = link.b
    found = {}
    for source, source_host in first.items():
        for target, target_host in first.items():
            if source == target:
                continue
            here, crossed = switch_of[source_host], []
            while here != target_host:
                port = routes.toward[target_host].get(here)
                if port is None:
                    raise CutOff(f'campus "{target}" cannot be reached from "{source}"')
                here, span, direction = leads[here, port]
                if span:
                    crossed.append((span, direction))
            found[source, target] = tuple(crossed)
    return found
