"""The policy ``shortest-delay``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from controller.paths import Network
from controller.routes import Demand, Routes
from topologies.graph import Graph
from topologies.linkstate import LinkState


def shortest_delay(
    graph: Graph, links: Mapping[str, LinkState], demands: Sequence[Demand]
) -> Routes:
    """Send traffic the way that takes least one-way delay, whatever its capacity.

    Queueing does not count, nor do demands. Ties go to fewer hops, then to the neighbour and span
    that come first by name. Spans that are down are not used.
    """
    network = Network(graph, links)
    return Routes(network.toward(network.least(network.delay_ns)))
