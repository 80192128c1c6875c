"""The policy ``wcmp``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from controller.paths import Network
from controller.policies.ecmp import equal_ways
from controller.routes import Demand, Routes
from topologies.graph import Graph
from topologies.linkstate import LinkState


def wcmp(graph: Graph, links: Mapping[str, LinkState], demands: Sequence[Demand]) -> Routes:
    """Share flows among the ways of ecmp in proportion to the rate that each way can carry.

    What a hop can carry is the lesser of its own rate and the rates of all hops that follow it,
    as if no other switch used these (Zhou et al., 2014, on weighted cost multipathing).
    """
    network = Network(graph, links)
    ways = {}
    for root, arcs, hops in equal_ways(network):
        near, far = network.near[arcs], network.far[arcs]
        carried = np.zeros(len(arcs))
        from_here = np.where(np.arange(len(hops)) == root, np.inf, 0.0)
        for away in range(1, hops[near].max(initial=0) + 1):
            now = hops[near] == away
            carried[now] = np.minimum(network.rate_bps[arcs[now]], from_here[far[now]])
            np.add.at(from_here, near[now], carried[now])
        ways[root] = network.share(arcs, carried)
    return Routes(network.toward(ways))
