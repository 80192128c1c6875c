"""What training moves over each span: the exchanges of its strategy, by their routes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from experiments.coherence import SystemStep
from experiments.exchanges import Exchange, Flow
from experiments.twin import Twin
from topologies.graph import Graph
from topologies.linkstate import ETHERNET_HEADER

TCP_HEADERS = 52
"""IPv4, TCP and its time stamp option."""

MESSAGE_BYTES = 300
"""What a message takes besides its data, each way at most: gloo's header (84 B) or notice (42 B),
and two frames of 66 B for either and its acknowledgement. Grade: computed from gloo's bytes on
loopback; it matters where messages are small."""

Routes = Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]
"""Worker -> worker -> span -> the share of the flows between them that cross it, by direction."""


def span_bytes(twin: Twin, routes: Routes, flows: Sequence[Flow]) -> dict[str, list[float]]:
    """Return the bytes on the wire that flows take over each span, by direction.

    Full frames with their headers, without acknowledgements. ``[first to second campus, second to
    first]``.
    """
    expected = {span: [0.0, 0.0] for span in twin.graph.spans}
    for span, way, moved, share in _crossings(twin, routes, flows):
        expected[span][way] += moved * share
    return expected


def expected_run_bytes(
    twin: Twin, routed: Sequence[tuple[int, Routes]], exchanges: Sequence[Exchange], steps: range
) -> dict[str, list[float]]:
    """Return the same of all ``steps`` of a leg, whose routes changed at some of them."""
    total = {span: [0.0, 0.0] for span in twin.graph.spans}
    for routes, exchange, times in _periods(routed, exchanges, steps):
        for span, way, moved, share in _crossings(twin, routes, exchange.flows):
            total[span][way] += moved * share * times
    return total


def splitting_slack(
    twin: Twin, routed: Sequence[tuple[int, Routes]], exchanges: Sequence[Exchange], steps: range
) -> dict[str, list[float]]:
    """Return by how much that may be off: a flow that has several ways takes one of them."""
    slack = {span: [0.0, 0.0] for span in twin.graph.spans}
    for routes, exchange, times in _periods(routed, exchanges, steps):
        for span, way, moved, share in _crossings(twin, routes, exchange.flows):
            if share < 1:
                slack[span][way] += moved * max(share, 1 - share) * times
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
    twin: Twin, routed: Sequence[tuple[int, Routes]], exchanges: Sequence[Exchange]
) -> dict[str, list[float]]:
    """Return by how much it may be off besides: what moves while routes change goes either way."""
    slack = {span: [0.0, 0.0] for span in twin.graph.spans}
    for exchange in exchanges:
        moved = [span_bytes(twin, routes, exchange.flows) for _, routes in routed]
        for before, after in pairwise(moved):
            for span, ways in slack.items():
                for way in (0, 1):
                    ways[way] += abs(after[span][way] - before[span][way])
    return slack


def message_slack(
    twin: Twin, routed: Sequence[tuple[int, Routes]], exchanges: Sequence[Exchange], steps: range
) -> dict[str, list[float]]:
    """Return what messages may take besides their data, and as much the other way."""
    besides = [
        replace(
            exchange,
            flows=[
                flow
                for a, b, _ in exchange.flows
                for flow in (
                    (a, b, float(MESSAGE_BYTES * exchange.messages)),
                    (b, a, float(MESSAGE_BYTES * exchange.messages)),
                )
            ],
        )
        for exchange in exchanges
    ]
    return expected_run_bytes(twin, routed, besides, steps)


def expected_arrivals(twin: Twin, exchanges: Sequence[Exchange], steps: range) -> dict[str, float]:
    """Return the wire bytes that workers of each campus get from others, on any route."""
    arriving = {host.campus: 0.0 for host in twin.graph.workers}
    for exchange in exchanges:
        times = exchange.times(steps.start, steps.stop)
        for sender, receiver, moved in exchange.flows:
            if sender.campus != receiver.campus:
                arriving[receiver.campus] += moved * times * _on_the_wire(twin)
    return arriving


def arrivals(graph: Graph, moved: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return what enters each campus, of what moves over each span by direction."""
    entering = {host.campus: 0.0 for host in graph.workers}
    campus = {switch.name: switch.campus for switch in graph.switches}
    for span, link in graph.spans.items():
        entering[campus[link.b]] += moved[span][0]
        entering[campus[link.a]] += moved[span][1]
    return entering


def _periods(
    routed: Sequence[tuple[int, Routes]], exchanges: Sequence[Exchange], steps: range
) -> Iterator[tuple[Routes, Exchange, int]]:
    """Yield the routes in their order, and how many times each exchange takes place by them."""
    ends = [step for step, _ in routed[1:]] + [steps.stop]
    for (begin, routes), end in zip(routed, ends, strict=True):
        for exchange in exchanges:
            yield routes, exchange, exchange.times(max(begin, steps.start), min(end, steps.stop))


def _crossings(
    twin: Twin, routes: Routes, flows: Sequence[Flow]
) -> Iterator[tuple[str, int, float, float]]:
    """Yield span, direction, bytes on the wire of each flow that may cross it, and its share."""
    for sender, receiver, moved in flows:
        for span, shares in routes[sender.name][receiver.name].items():
            for way, share in enumerate(shares):
                if share:
                    yield span, way, moved * _on_the_wire(twin), share


def _on_the_wire(twin: Twin) -> float:
    """Return the wire bytes of a byte of gradients, in full frames."""
    mtu = twin.reference.forward.mtu
    return (mtu + ETHERNET_HEADER) / (mtu - TCP_HEADERS)
