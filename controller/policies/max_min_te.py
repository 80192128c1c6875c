"""The policy ``max-min-te``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import networkx as nx
import numpy as np

from controller.fairness import fair_flows
from controller.paths import Network, Ways
from controller.routes import Demand, Routes
from topologies.graph import Graph
from topologies.linkstate import LinkState


def max_min_te(graph: Graph, links: Mapping[str, LinkState], demands: Sequence[Demand]) -> Routes:
    """Share the spans max-min fairly: no demand could get more but from one that has no more.

    Demands take several ways at once where that gets them more. Without demands, every campus asks
    for as much as it can get to every other. What nobody asks for goes the way of least delay.
    """
    network = Network(graph, links)
    flows: dict[int, Counter[int]] = {}
    for way, rate_bps in fair_flows(network, demands).items():
        target = int(network.site[network.far[way[-1]]])
        flows.setdefault(target, Counter()).update(dict.fromkeys(way, rate_bps))
    shared = {target: shares(network, flow) for target, flow in flows.items()}
    return Routes(network.least_delay_but(shared))


def shares(network: Network, flow: Counter[int]) -> Ways:
    """Return hops that carry a flow (bit/s by arc) to one campus, rid of what runs in circles."""
    near, far = network.near.tolist(), network.far.tolist()
    carrying: nx.MultiDiGraph[int] = nx.MultiDiGraph()
    for arc in sorted(flow):
        carrying.add_edge(near[arc], far[arc], arc)
    while not nx.is_directed_acyclic_graph(carrying):
        circle = [arc for *_, arc in nx.find_cycle(carrying)]
        least = min(flow[arc] for arc in circle)
        for arc in circle:
            flow[arc] -= least
            if not flow[arc]:
                carrying.remove_edge(near[arc], far[arc], arc)
    arcs = sorted(arc for arc in flow if flow[arc])
    return network.share(np.array(arcs, np.int64), np.array([float(flow[arc]) for arc in arcs]))
