"""The policy ``ecmp``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from controller.paths import Integers, Network
from controller.routes import Demand, Routes
from topologies.graph import Graph
from topologies.linkstate import LinkState

TOLERANCE_PERCENT = 10
"""How much longer a way may take than the quickest and still count as its equal."""


def ecmp(graph: Graph, links: Mapping[str, LinkState], demands: Sequence[Demand]) -> Routes:
    """Share flows alike among the ways that equal the quickest: as many hops, 10 % longer at most.

    Each switch compares the ways from there. Routers compare costs that somebody configured (RFC
    2992); two cables are never equally long to the nanosecond, hence the tolerance.
    """
    network = Network(graph, links)
    ways = {root: network.share(arcs) for root, arcs, _ in equal_ways(network)}
    return Routes(network.toward(ways))


def equal_ways(network: Network) -> Iterator[tuple[int, Integers, Integers]]:
    """Yield for every root the arcs on equal ways to it, and how many hops each switch is away.

    Each of these arcs leads one hop nearer to the root, so that none lead in a circle.
    """
    delay_ns, every = network.delay_ns, np.ones(len(network.near), bool)
    distances = network.distances(network.weights(delay_ns), network.roots, every)
    for root, distance in zip(network.roots, distances, strict=True):
        left_ns, hops = network.cost_and_hops(distance)
        taken_ns, least_ns = delay_ns + left_ns[network.far], left_ns[network.near]
        good = 100 * taken_ns <= (100 + TOLERANCE_PERCENT) * least_ns
        nearer = hops[network.far] + 1 == hops[network.near]
        yield root, np.flatnonzero(good & nearer), hops
