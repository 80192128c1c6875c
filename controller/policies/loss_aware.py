"""The policy ``loss-aware``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from controller.paths import Network
from controller.routes import Demand, Routes
from topologies.graph import Graph
from topologies.linkstate import LinkState

BUCKET_BYTES = 10**6
"""A bucket of gradients as an emulation scales it: 25 MB by 1/25, or 250 MB by 1/250."""
HEADER_BYTES = 52
"""IPv4, TCP and its time stamp option."""
LEAST_BPS = 1000
"""What even a span that loses everything counts as carrying: a way is better than none."""


def loss_aware(graph: Graph, links: Mapping[str, LinkState], demands: Sequence[Demand]) -> Routes:
    """Send traffic the way that takes a bucket of gradients least time, losses counted.

    The time on each span is its delay and what one TCP flow needs there for a megabyte. Sums over
    a way, as if each span waited for the whole of it, count how long the bucket keeps spans busy.
    """
    network = Network(graph, links)
    each = zip(network.state, network.delay_ns.tolist(), strict=True)
    cost_us = [(delay_ns + (bucket_ns(it) if it else 0)) // 1000 for it, delay_ns in each]
    return Routes(network.toward(network.least(np.array(cost_us, np.int64))))


def bucket_ns(span: LinkState) -> int:
    """Return how long one TCP flow takes for a bucket at the span's rate, or at what losses leave.

    Those leave sqrt(3/2) / sqrt(p) segments per round trip of the span (Mathis et al., 1997, with
    an acknowledgement for each segment), of which a share p is sent twice.
    """
    p, rate_bps = span.mean_loss, float(span.rate_bps)
    if p and span.delay_ns:
        segments = math.sqrt(1.5 / p)
        round_trip_s = 2 * span.delay_ns / 10**9
        rate_bps = min(rate_bps, 8 * (span.mtu - HEADER_BYTES) * segments / round_trip_s)
    return round(8 * BUCKET_BYTES / max(LEAST_BPS, rate_bps * (1 - p)) * 10**9)
