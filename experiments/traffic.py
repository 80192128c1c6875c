"""What training moves over each span: the collectives of each strategy, in bytes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise

from experiments.coherence import SystemStep
from experiments.twin import Twin
from topologies.graph import Graph, Host
from topologies.linkstate import ETHERNET_HEADER

TCP_HEADERS = 52
"""IPv4, TCP and its time stamp option."""

Routes = Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]
"""Worker -> worker -> span -> the share of the flows between them that cross it, by direction."""

Flow = tuple[Host, Host, float]
"""Sender, receiver, bytes."""


def expected_span_bytes(twin: Twin, routes: Routes, strategy: str) -> dict[str, list[float]]:
    """Return the bytes on the wire that one step's gradients take over each span, by direction.

    Full frames with their headers, without acknowledgements. ``[first to second campus, second to
    first]``.
    """
    expected = {span: [0.0, 0.0] for span in twin.graph.spans}
    for span, way, moved, share in _crossings(twin, routes, strategy):
        expected[span][way] += moved * share
    return expected


def expected_run_bytes(
    twin: Twin, routed: Sequence[tuple[int, Routes]], strategy: str, steps: int
) -> dict[str, list[float]]:
    """Return the same of a whole run of ``steps``, whose routes changed at some of them."""
    total = {span: [0.0, 0.0] for span in twin.graph.spans}
    ends = [step for step, _ in routed[1:]] + [steps]
    for (begin, routes), end in zip(routed, ends, strict=True):
        for span, ways in expected_span_bytes(twin, routes, strategy).items():
            for way, moved in enumerate(ways):
                total[span][way] += moved * (end - begin)
    return total


def splitting_slack(
    twin: Twin, routed: Sequence[tuple[int, Routes]], strategy: str, steps: int
) -> dict[str, list[float]]:
    """Return by how much that may be off: a flow that has several ways takes one of them."""
    slack = {span: [0.0, 0.0] for span in twin.graph.spans}
    ends = [step for step, _ in routed[1:]] + [steps]
    for (begin, routes), end in zip(routed, ends, strict=True):
        for span, way, moved, share in _crossings(twin, routes, strategy):
            if share < 1:
                slack[span][way] += moved * max(share, 1 - share) * (end - begin)
    return slack


def routes_by_step(
    routed: Sequence[tuple[int, Routes]], steps: Sequence[SystemStep]
) -> list[tuple[int, Routes]]:
    """Return routes by the first step that they carried, given when (ns) they came into force."""
    found = []
    for at_ns, routes in routed:
        carried = (step.step for step in steps if step.first_communication_ns >= at_ns)
        found.append((next(carried, steps[-1].step + 1 if steps else 0), routes))
    return [(0, found[0][1]), *found[1:]]


def routing_slack(
    twin: Twin, routed: Sequence[tuple[int, Routes]], strategy: str
) -> dict[str, list[float]]:
    """Return by how much it may be off besides: a step in which routes change goes either way."""
    slack = {span: [0.0, 0.0] for span in twin.graph.spans}
    steps = [expected_span_bytes(twin, routes, strategy) for _, routes in routed]
    for before, after in pairwise(steps):
        for span, ways in slack.items():
            for way in (0, 1):
                ways[way] += abs(after[span][way] - before[span][way])
    return slack


def expected_arrivals(twin: Twin, strategy: str, steps: int) -> dict[str, float]:
    """Return the wire bytes that workers of each campus get from others in a run, on any route."""
    arriving = {host.campus: 0.0 for host in twin.graph.workers}
    for sender, receiver, moved in step_flows(twin.graph.workers, twin.gradient_bytes, strategy):
        if sender.campus != receiver.campus:
            arriving[receiver.campus] += moved * steps * _on_the_wire(twin)
    return arriving


def arrivals(graph: Graph, moved: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return what enters each campus, of what moves over each span by direction."""
    entering = {host.campus: 0.0 for host in graph.workers}
    campus = {switch.name: switch.campus for switch in graph.switches}
    for span, link in graph.spans.items():
        entering[campus[link.b]] += moved[span][0]
        entering[campus[link.a]] += moved[span][1]
    return entering


def _crossings(
    twin: Twin, routes: Routes, strategy: str
) -> Iterator[tuple[str, int, float, float]]:
    """Yield span, direction, a step's bytes on the wire of each flow that may cross, its share."""
    for sender, receiver, moved in step_flows(twin.graph.workers, twin.gradient_bytes, strategy):
        for span, shares in routes[sender.name][receiver.name].items():
            for way, share in enumerate(shares):
                if share:
                    yield span, way, moved * _on_the_wire(twin), share


def _on_the_wire(twin: Twin) -> float:
    """Return the wire bytes of a byte of gradients, in full frames."""
    mtu = twin.reference.forward.mtu
    return (mtu + ETHERNET_HEADER) / (mtu - TCP_HEADERS)


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
