"""Which spans traffic between campuses crosses under a policy. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from controller import policies
from controller.routes import Demand
from topologies.graph import Graph
from topologies.linkstate import Duplex, LinkState

Crossings = Mapping[tuple[str, str], tuple[tuple[str, int], ...]]
"""For every ordered pair of campuses the spans on the way, each with its direction, 0 or 1."""


ONLY_BY_DELAY = frozenset({"shortest-delay", "ecmp", "static", "traffic-classes"})
"""Policies to which a span is nothing but its delay, and whether it is up."""


def seen_by(policy: str, way: LinkState) -> Hashable:
    """Return what a policy may look at: states that are alike in it are routed alike."""
    delay = way.delay_ns, way.up
    return delay if policy in ONLY_BY_DELAY else (*delay, way.rate_bps, way.mean_loss)


class CutOff(Exception):
    """A campus that no span reaches."""


def crossings_of(
    graph: Graph, policy: str, states: Mapping[str, Duplex], demands: Sequence[Demand] = ()
) -> Crossings:
    """Return the crossings that a policy decides on; raises `CutOff` where a campus has none.

    Where it spreads flows over several ways, that of the most flows: a ring has one flow per edge.
    """
    links = {span: duplex.worse for span, duplex in states.items()}
    routes = policies.load(policy)(graph, links, demands)
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
                hops = routes.toward.get(target_host, {}).get(here)
                if not hops:
                    raise CutOff(f'campus "{target}" cannot be reached from "{source}"')
                most = max(hops, key=lambda hop: (hop.weight, -hop.port))
                here, span, direction = leads[here, most.port]
                if span:
                    crossed.append((span, direction))
            found[source, target] = tuple(crossed)
    return found
