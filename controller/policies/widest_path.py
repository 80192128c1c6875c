"""The policy ``widest-path``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from controller.paths import Network, Numbers, Ways
from controller.routes import Demand, Routes
from topologies.graph import Graph
from topologies.linkstate import LinkState


def widest_path(graph: Graph, links: Mapping[str, LinkState], demands: Sequence[Demand]) -> Routes:
    """Send traffic the way whose slowest span is the fastest; of such ways, the quickest.

    A switch further on sends everything its own widest way, even if a quicker one would do for
    what comes from narrower switches. So a hop must be no slower than the widest way from here, and
    lead to where the widest way on is no slower either; among such hops delays add up.
    """
    network = Network(graph, links)
    width = widths(network)
    ways: dict[int, Ways] = {}
    for root in network.roots:
        here = width[root, network.near]
        usable = (network.rate_bps >= here) & (width[root, network.far] >= here)
        ways |= network.least(network.delay_ns, [root], usable)
    return Routes(network.toward(ways))


def widths(network: Network) -> Numbers:
    """Return the greatest rate (bit/s) that some way between each two switches has; 0: no way.

    Arcs join switches, the fastest first. The one that first joins two groups is as wide as any
    way between their members can be (Kruskal's algorithm).
    """
    width = np.diag(np.full(len(network.switches), np.inf))
    group = [[switch] for switch in range(len(network.switches))]
    for arc in np.argsort(-network.rate_bps, kind="stable"):
        one, other = group[network.near[arc]], group[network.far[arc]]
        if one is not other:
            width[np.ix_(one, other)] = width[np.ix_(other, one)] = network.rate_bps[arc]
            one += other
            for switch in other:
                group[switch] = one
    return width
