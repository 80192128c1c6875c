"""What the controller sees: ports, cables, spans, traffic; and which spans may be used. Pure.

Not safe for several threads by itself: the state's lock guards it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from controller.counters import Counters, FlowCount
from controller.discovery import Discovery
from controller.intent import Intent
from controller.lldp import Hello
from controller.probes import Direction, Seen, SpanProbes, believed
from controller.wiring import Wiring
from topologies.linkstate import Duplex, LinkState

HOLD_S = 0.5
"""A span that died by itself is used again once it has been live for so long: it may flap."""
LOOK_S = 1.0
"""How often probes are compared with what was told."""
FOREIGN_KEPT = 10
UNSEEN_S = 7.0
"""After which a cable that no discovery frame has crossed is reported."""


class Sight:
    """What switches and discovery frames have said.

    Attributes:
        probes, counters: of spans, and of ports and deliveries.
        foreign, foreign_changes: what others changed in the switches last, and how often they did.
    """

    def __init__(self, wiring: Wiring) -> None:
        """Begin without having seen anything: every port is taken to be live."""
        self._wiring = wiring
        self.probes, self.counters = SpanProbes(), Counters(wiring)
        self._discovery = Discovery(wiring)
        self._live: dict[tuple[int, int], bool] = {}
        self._died: set[str] = set()  # by themselves, not as told
        self._held_until: dict[str, float] = {}
        self._seen: dict[str, tuple[Seen, Seen]] = {}
        self._believed: dict[str, Duplex] = {}  # as told, corrected by probes
        self._now_s = self._look_at_s = 0.0
        self.foreign: deque[str] = deque(maxlen=FOREIGN_KEPT)
        self.foreign_changes = 0

    def told(self, spans: Sequence[str]) -> None:
        """Forget what was seen of spans whose states were changed on purpose."""
        for span in spans:
            self._died.discard(span)
            self._held_until.pop(span, None)
            self.probes.forget(span)
            self._believed.pop(span, None)
            self._seen.pop(span, None)

    def meddled(self, switch: str, changes: Sequence[str]) -> None:
        """Take note of rules of a switch that somebody else changed."""
        self.foreign_changes += len(changes)
        self.foreign += [f"switch {switch}: somebody else {change}" for change in changes]

    def used(self, intent: Intent) -> dict[str, LinkState]:
        """Return the span states that policies are given: as told, corrected by what is seen."""
        return {span: self._used(span, told, intent) for span, told in intent.links.items()}

    def _used(self, span: str, told: LinkState, intent: Intent) -> LinkState:
        usable = told.up and self.lit(span) and span not in self._held_until
        state = self._believed[span].worse if span in self._believed else told
        return replace(state, up=usable and span not in intent.drained)

    def lit(self, span: str) -> bool:
        """Return whether both ends of a span are live, as far as switches have said."""
        ends = self._wiring.ends(span)
        return all(self.port_is_live(self._wiring.dpids[name], port) for name, port in ends)

    def port_is_live(self, dpid: int, port: int) -> bool:
        """Return whether a port is live; one that nothing was said of is."""
        return self._live.get((dpid, port), True)

    def dead_ports(self) -> set[tuple[str, int]]:
        """Return the dead ends of cables between switches."""
        names, far = self._wiring.names, self._wiring.far
        dead = {(names[dpid], port) for (dpid, port), live in self._live.items() if not live}
        return {end for end in dead if far.get(end) in self._wiring.dpids}

    def connected(self, dpid: int, live: Mapping[int, bool]) -> None:
        """Take note of which ports of a switch are live."""
        self._live |= {(dpid, port): is_live for port, is_live in live.items()}

    def port_changed(
        self, dpid: int, port: int, live: bool, links: Mapping[str, LinkState], now_s: float
    ) -> bool:
        """Take note that a port died or came alive; return whether that is new."""
        if self.port_is_live(dpid, port) == live:
            return False
        self._live[dpid, port] = live
        span = self._wiring.span_at.get((self._wiring.names[dpid], port))
        if span and links[span].up:
            if not live:
                self._died.add(span)
                self._held_until.pop(span, None)
            elif span in self._died and self.lit(span):
                self._held_until[span] = now_s + HOLD_S
        return True

    def heard(self, hello: Hello, dpid: int, port: int, now_ns: int) -> None:
        """Take note of a discovery frame that a switch received."""
        self._discovery.heard(hello, dpid, port, now_ns / 1e9)
        sender = self._wiring.names.get(hello.dpid, ""), hello.port
        span = self._wiring.span_at.get(sender)
        if span is None:
            self.probes.baseline(hello.sent_ns, now_ns)
        elif self._wiring.span_at.get((self._wiring.names[dpid], port)) == span:
            first = self._wiring.ends(span)[0] == sender
            direction: Direction = "forward" if first else "backward"
            self.probes.received(span, direction, hello.number, hello.sent_ns, now_ns)

    def counted_flows(
        self, dpid: int, counts: Mapping[tuple[object, str], FlowCount], now_s: float
    ) -> None:
        """Take note of how much a switch delivered, by source network and target address."""
        campuses = {network: campus for campus, network in self._wiring.networks.items()}
        flows = {
            (campuses[network], self._wiring.hosts[address].name): count
            for (network, address), count in counts.items()
            if network in campuses and address in self._wiring.hosts
        }
        self.counters.flows(dpid, flows, now_s)

    def tick(self, links: Mapping[str, LinkState], now_s: float) -> None:
        """Let time pass: spans are no longer held, and probes are compared with what was told."""
        self._now_s = now_s
        for span in [span for span, at_s in self._held_until.items() if at_s <= now_s]:
            del self._held_until[span]
            self._died.discard(span)
        if now_s < self._look_at_s:
            return
        self._look_at_s = now_s + LOOK_S
        for span, told in links.items():
            seen = (
                self.probes.seen(span, "forward", int(now_s * 1e9)),
                self.probes.seen(span, "backward", int(now_s * 1e9)),
            )
            before = self._believed.get(span, Duplex.both(told))
            self._seen[span] = seen
            self._believed[span] = Duplex(
                *(believed(told, way, last) for way, last in zip(seen, before.ways, strict=True))
            )

    def seen(self, span: str) -> tuple[Seen, Seen]:
        """Return what probes said of both directions of a span when last looked at."""
        return self._seen.get(span, (Seen(), Seen()))

    def miswired(self) -> tuple[str, ...]:
        """Return a sentence for each port that leads elsewhere than it should."""
        return tuple(self._discovery.miswired())

    def unseen(self) -> tuple[str, ...]:
        """Return the live cables that nothing was heard over for some time."""
        return tuple(self._discovery.unseen(self._now_s, UNSEEN_S, self.port_is_live))
