"""What training moves over each span: the collectives of each strategy, in bytes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise

from experiments.twin import Twin
from topologies.graph import Host

Flow = tuple[Host, Host, float]
"""Sender, receiver, bytes."""


def expected_span_bytes(
    twin: Twin, routes: Mapping[str, Mapping[str, list[str] | None]], strategy: str
) -> dict[str, list[float]]:
    """Return the gradient bytes that one step moves over each span, by direction.

    ``routes`` gives the nodes on the path between two hosts. ``[first to second campus, second to
    first]``.
    """
    expected = {span: [0.0, 0.0] for span in twin.graph.spans}
    ends = {(link.a, link.b): span for span, link in twin.graph.spans.items()}
    for sender, receiver, moved in step_flows(twin.graph.workers, twin.gradient_bytes, strategy):
        path = routes[sender.name][receiver.name] or []
        for a, b in pairwise(path):
            if (a, b) in ends:
                expected[ends[a, b]][0] += moved
            elif (b, a) in ends:
                expected[ends[b, a]][1] += moved
    return expected


def step_flows(workers: Sequence[Host], gradient_bytes: float, strategy: str) -> list[Flow]:
    """Return what each worker sends to others in one step; inside a campus only if ring-wise.

    ``hierarchical`` leaves out what stays inside a campus. Raises ValueError for a strategy whose
    traffic is not known.
    """
    if strategy == "ddp":
        return ring_flows(workers, gradient_bytes)
    if strategy != "hierarchical":
        raise ValueError(f"the traffic of the strategy {strategy} is not known")
    campuses = [list(group) for _, group in groupby(workers, key=lambda host: host.campus)]
    sizes = set(map(len, campuses))
    slices = sizes.pop() if len(sizes) == 1 else 1
    return [
        flow
        for place in range(slices)
        for flow in ring_flows([campus[place] for campus in campuses], gradient_bytes / slices)
    ]


def ring_flows(workers: Sequence[Host], gradient_bytes: float) -> list[Flow]:
    """Return what gloo's ring all-reduce sends: 2 (n - 1) / n of the bytes along each edge.

    Each rank sends to the one before it and receives from the one after (gloo/allreduce.cc).
    """
    n = len(workers)
    moved = 2 * (n - 1) / n * gradient_bytes
    return [(sender, workers[index - 1], moved) for index, sender in enumerate(workers) if n > 1]
