"""The policy ``static``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from controller.errors import PolicyError
from controller.paths import Network
from controller.routes import Demand, Hop, Hops, Routes
from topologies.graph import Graph
from topologies.linkstate import LinkState
from topologies.suggest import unknown


def static(graph: Graph, links: Mapping[str, LinkState], demands: Sequence[Demand]) -> Routes:
    """Send demands over the spans that they name, and everything else the way of least delay.

    Demands of which a span is down go the way of least delay too. Routes go by destination: what
    comes through a campus takes the way that a demand from there to the same target names. Raises
    PolicyError where that makes two demands disagree, and for spans that do not lead to the target.
    """
    network = Network(graph, links)
    known: dict[tuple[int, int], Leg] = {}
    taken: list[Leg] = []
    for demand in demands:
        up = all(links[span].up for span in demand.over if span in links)
        for leg in legs(graph, network, demand):
            other = known.setdefault((leg.site, leg.target), leg)
            if other.span != leg.span:
                what = f"{_name(demand)} and {_name(other.demand)} part at {leg.switch}"
                raise PolicyError(f"{what}, but routes go by destination only")
            if up:
                taken.append(leg)
    borders = [network.place[leg.switch] for leg in taken]
    fabric = network.least(network.delay_ns, borders, network.fabric)
    named: dict[int, dict[str, Hops]] = {}
    for leg, border in zip(taken, borders, strict=True):
        ways = named.setdefault(leg.target, {})
        ways |= {**fabric[border], leg.switch: (Hop(leg.port),)}
    return Routes(network.least_delay_but(named))


@dataclass(frozen=True)
class Leg:
    """A span that a demand to a site is to cross, and the site, switch and port that it leaves."""

    demand: Demand
    target: int
    span: str
    site: int
    switch: str
    port: int


def legs(graph: Graph, network: Network, demand: Demand) -> Iterator[Leg]:
    """Yield what a demand is to cross, in order; raises PolicyError if that leads elsewhere."""
    campuses = {switch.name: switch.campus for switch in graph.switches}
    if demand.over and demand.marks:
        raise PolicyError(f"{_name(demand)}: routes cannot tell marked packets from others")
    here, target = (int(network.site[network.at(it)]) for it in (demand.source, demand.target))
    passed, campus = {here}, demand.source
    for span in demand.over:
        if span not in graph.spans:
            raise PolicyError(unknown("span", span, graph.spans))
        link = graph.spans[span]
        ends = [(link.a, link.a_port, link.b), (link.b, link.b_port, link.a)]
        begins = [end for end in ends if network.site[network.place[end[0]]] == here]
        if not begins:
            raise PolicyError(f"{_name(demand)}: {span} does not begin in {campus}")
        near, port, far = begins[0]
        yield Leg(demand, target, span, here, near, port)
        here, campus = int(network.site[network.place[far]]), campuses[far]
        if here in passed:
            raise PolicyError(f"{_name(demand)}: {span} leads back to {campus}")
        passed.add(here)
    if demand.over and here != target:
        raise PolicyError(f"{_name(demand)}: it ends in {campus}")


def _name(demand: Demand) -> str:
    return f'the demand from "{demand.source}" to "{demand.target}" over {", ".join(demand.over)}'
