"""Ways around each span, which border switches take by themselves when its port goes dead. Pure.

The switch that sees the dead port labels the packet with the span that it goes around; switches
that meet the label forward it by the shortest delay over the spans that remain, so that no packet
can come back to where it was turned away. In the campus that it is for, the label no longer counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush

from controller.wiring import Wiring
from topologies.linkstate import LinkState


class Detours:
    """The ways around spans, found when they are asked for."""

    def __init__(self, wiring: Wiring, links: Mapping[str, LinkState]) -> None:
        """Take the state of every span; those that are down are nobody's detour."""
        self._wiring = wiring
        self._ends = {
            span: (wiring.ends(span), max(1, links[span].delay_ns))
            for span in wiring.graph.spans
            if links[span].up
        }
        self._towards: dict[tuple[str, str], dict[str, int]] = {}
        self.taken: dict[tuple[str, str], dict[str, int]] = {}
        """By span and campus, the port of every switch that some detour goes over."""

    def around(self, span: str, start: str, campus: str) -> int | None:
        """Return the port by which a switch sends packets to a campus around a span, if any."""
        ports = self._ports(span, campus)
        if start not in ports:
            return None
        taken = self.taken.setdefault((span, campus), {})
        node = start
        while node in ports and node not in taken:
            taken[node] = ports[node]
            node = self._wiring.far[node, ports[node]]
        return ports[start]

    def _ports(self, span: str, campus: str) -> dict[str, int]:
        """Return the port towards a campus at every border switch, with one span left out."""
        if (span, campus) not in self._towards:
            self._towards[span, campus] = self._tree(span, campus)
        return self._towards[span, campus]

    def _tree(self, without: str, campus: str) -> dict[str, int]:
        cables: dict[str, list[tuple[str, str, int, int]]] = {}
        for span, (((a, a_port), (b, b_port)), delay_ns) in self._ends.items():
            if span != without:
                cables.setdefault(a, []).append((b, span, b_port, delay_ns))
                cables.setdefault(b, []).append((a, span, a_port, delay_ns))
        ports: dict[str, int] = {}
        # Ties go to fewer spans, then to names.
        queue = [(0, 0, "", node, 0) for node in cables if self._wiring.campus[node] == campus]
        roots = {node for _, _, _, node, _ in queue}
        done: set[str] = set()
        while queue:
            delay_ns, hops, _, node, port = heappop(queue)
            if node in done:
                continue
            done.add(node)
            if node not in roots:
                ports[node] = port
            for far, span, far_port, more_ns in cables[node]:
                heappush(queue, (delay_ns + more_ns, hops + 1, span, far, far_port))
        return ports
