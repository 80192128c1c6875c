"""Which port leads where, by the frames that went there, against what the graph says. Pure."""

from __future__ import annotations

from collections.abc import Callable

from controller.lldp import Hello
from controller.wiring import Wiring

Port = tuple[int, int]
"""Datapath id and port number."""


class Discovery:
    """What the frames of `controller.lldp` have shown of the cables."""

    def __init__(self, wiring: Wiring) -> None:
        """Take the wiring that is planned."""
        self._names = wiring.names
        self._planned: dict[Port, Port] = {}
        self._hosts: dict[Port, str] = {}
        self._spans: dict[Port, str] = {}
        for link in wiring.graph.links:
            b = wiring.dpids[link.b], link.b_port
            if link.kind == "access":
                self._hosts[b] = link.a
                continue
            a = wiring.dpids[link.a], link.a_port
            self._planned |= {a: b, b: a}
            if link.span:
                self._spans |= {a: link.span, b: link.span}
        self._leads_to: dict[Port, Port] = {}  # both ways: a port is at the end of one cable only
        self._heard_s: dict[Port, float] = {}  # of ports, over the cable that is planned there
        self._dead_s: dict[Port, float] = {}  # when last found not live, by a cable's first end
        self._start_s: float | None = None

    def heard(self, hello: Hello, dpid: int, port: int, now_s: float) -> None:
        """Take note that a frame was received at a port; the newest says what a port leads to."""
        if not self._leads_to:
            self._start_s = now_s  # only now it is known that frames get through at all
        ends = (hello.dpid, hello.port), (dpid, port)
        for end in ends:
            # What was plugged in there before, is not any more, nor this into that.
            before = self._leads_to.pop(end, None)
            if before is not None:
                self._leads_to.pop(before, None)
        sender, receiver = ends
        self._leads_to |= {sender: receiver, receiver: sender}
        if self._planned.get(sender) == receiver:
            self._heard_s |= {sender: now_s, receiver: now_s}

    def cables(self) -> list[tuple[str, int, str, int]]:
        """Return ``(switch, port, switch, port)`` of every cable found, sorted."""
        found = set()
        for ends in self._leads_to.items():
            (a, a_port), (b, b_port) = sorted((self._switch(dpid), port) for dpid, port in ends)
            found.add((a, a_port, b, b_port))
        return sorted(found)

    def miswired(self) -> list[str]:
        """Return a sentence for each port of the graph's switches that leads to a wrong one.

        A cable in the wrong place has two ends, and so mostly two sentences.
        """
        wrong = [
            end
            for end, far in self._leads_to.items()
            if end[0] in self._names and self._planned.get(end) != far
        ]
        return [
            f"{self._with_span(end)} should lead to {self._plan(end)}, "
            f"but leads to {self._name(self._leads_to[end])}"
            for end in self._sorted(wrong)
        ]

    def unseen(
        self, now_s: float, older_than_s: float, live: Callable[[int, int], bool]
    ) -> list[str]:
        """Return a sentence for each planned cable between switches that nothing comes over.

        A cable's silence begins with the last frame over it in either direction, the first frame
        over any cable, or the last time of asking at which one of its ports was not
        ``live(dpid, port)``, whichever is latest. Ports that are known to lead elsewhere are left
        to `miswired`.
        """
        start_s = self._start_s = now_s if self._start_s is None else self._start_s
        silent = []
        for a in self._sorted(self._planned):
            b = self._planned[a]
            if self._order(b) < self._order(a):
                continue  # its other end has been looked at
            if not (live(*a) and live(*b)):
                self._dead_s[a] = now_s
                continue
            begin_s = max(times.get(a, start_s) for times in (self._heard_s, self._dead_s))
            elsewhere = any(self._leads_to.get(end, far) != far for end, far in ((a, b), (b, a)))
            if now_s - begin_s > older_than_s and not elsewhere:
                silent.append(f"nothing comes over the cable from {self._cable(a, b)}")
        return silent

    def _sorted(self, ports: dict[Port, Port] | list[Port]) -> list[Port]:
        return sorted(ports, key=self._order)

    def _order(self, end: Port) -> tuple[str, int]:
        return self._switch(end[0]), end[1]

    def _switch(self, dpid: int) -> str:
        return self._names.get(dpid, f"unknown switch {dpid:#x}")

    def _name(self, end: Port) -> str:
        return f"{self._switch(end[0])} port {end[1]}"

    def _with_span(self, end: Port) -> str:
        span = self._spans.get(end)
        return f"{self._name(end)} (span {span})" if span else self._name(end)

    def _cable(self, a: Port, b: Port) -> str:
        span = self._spans.get(a)
        ends = f"{self._name(a)} to {self._name(b)}"
        return f"{ends} (span {span})" if span else ends

    def _plan(self, end: Port) -> str:
        """Say what a port should lead to."""
        if end in self._planned:
            return self._name(self._planned[end])
        return f"host {self._hosts[end]}" if end in self._hosts else "nothing"
