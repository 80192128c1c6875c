"""The policy ``traffic-classes``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from controller.paths import Network, Numbers
from controller.routes import Demand, Limit, Marks, Routes
from topologies.graph import Graph
from topologies.linkstate import LinkState

BACKGROUND = (Marks(dscp=1), Marks(dscp=8))
"""Lower effort (RFC 8622), and class selector 1, which stood for it before (RFC 3662)."""
SHARE = 0.1
"""What background traffic may take of a span."""


def traffic_classes(
    graph: Graph, links: Mapping[str, LinkState], demands: Sequence[Demand]
) -> Routes:
    """Send traffic the way of least delay, background traffic at a tenth of any span at most.

    Background is what carries DSCP 1 or 8, and what demands mark. Marked demands that state rates
    may instead take the share that these come to on the span that they fill most.
    """
    network = Network(graph, links)
    trees = dict(network.trees(network.delay_ns))
    loads: dict[Marks, Numbers] = {}
    for demand in demands:
        if demand.marks:
            load_bps = loads.setdefault(demand.marks, np.zeros(len(network.near)))
            tree, source = trees[network.at(demand.target)], network.at(demand.source)
            load_bps[network.follow(tree, [source])[0]] += demand.rate_bps or 0
    shares = dict.fromkeys(BACKGROUND, SHARE)
    for marks, load_bps in loads.items():
        shares[marks] = min(1.0, (load_bps / network.rate_bps).max(initial=0)) or SHARE
    routes = network.toward({root: network.share(tree) for root, tree in trees.items()})
    return Routes(routes, tuple(Limit(marks, share) for marks, share in shares.items()))
