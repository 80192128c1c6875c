"""The application: a thin shim that hands events to the state and sends what it decides.

Nothing here depends on the OpenFlow framework, which is `controller.ryu_api`'s affair.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from controller import arp, lldp, policies
from controller.counters import FlowCount, PortCount
from controller.errors import ControllerError
from controller.intent import Intent, changed_links, check_demands, check_policy, check_spans
from controller.messages import LinkChange
from controller.probes import Direction
from controller.rollout import Batch
from controller.routes import Demand
from controller.rules import Entry
from controller.state import State
from controller.trace import Port
from controller.wiring import Wiring
from topologies.graph import Graph

LOG = logging.getLogger("controller")
PROBE_EVERY_TICKS, COUNT_EVERY_TICKS = 2, 10
"""Spans are probed five times a second, which costs 3 % of a processor; counters are read once."""
HELLO_EVERY_PROBES = 10
"""Other cables are probed once in so many times."""

Cable = tuple[tuple[Port, Port], tuple[str, Direction] | None]
"""Sender and receiver, and which direction of which span it is."""


class Switch(Protocol):
    """The connection to a switch; a reconnected switch is another object."""

    @property
    def dpid(self) -> int:
        """Its 64-bit datapath id."""

    def send(self, batch: Batch) -> None:
        """Send a batch and its barrier."""

    def send_packet(self, port: int, frame: bytes) -> None:
        """Let the switch emit a frame from a port."""

    def count(self) -> None:
        """Ask for its counters."""


class Application:
    """Routing by a policy, put into force before anybody needs it.

    The methods called by the OpenFlow framework run on its one event thread; those called by the
    control channel run on any thread.
    """

    def __init__(
        self,
        graph: Graph,
        intent: Intent,
        file: Path | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Take the graph, what is asked for, and the file that is to hold that from now on.

        ``clock`` tells the nanoseconds that discovery frames are stamped with.
        """
        self.wiring = Wiring(graph)
        self.state = State(self.wiring, intent)
        self.wake: Callable[[], None] = lambda: None
        """Makes the event thread call `asked`; set by the framework."""
        self._file, self._clock = file, clock
        self._asking = threading.Lock()
        with suppress(Exception):  # if it cannot be loaded, that is said when it is applied
            policies.load(intent.policy)  # takes a while: now, before anybody waits for it
        self._switches: dict[int, Switch] = {}
        self._token = secrets.token_bytes(8)
        self._ticks = self._number = 0
        self._spans, self._fabric = _cables(self.wiring)

    # Called by the OpenFlow framework.

    def connected(
        self, switch: Switch, found: Sequence[Entry], live: Mapping[int, bool], now_s: float
    ) -> None:
        """A switch has said what it holds and which of its ports are live."""
        name = self.wiring.names.get(switch.dpid)
        if name is None:
            LOG.warning("ignored a switch with datapath id %#x: not in the graph", switch.dpid)
            return
        LOG.info("switch %s connected", name)
        self._switches[switch.dpid] = switch
        self._send(self.state.connected(switch.dpid, found, live, now_s))

    def disconnected(self, switch: Switch, now_s: float) -> None:
        """A connection is gone; it may have been replaced already."""
        if self._switches.get(switch.dpid) is switch:
            LOG.warning("switch %s disconnected", self.wiring.names[switch.dpid])
            del self._switches[switch.dpid]
            self._send(self.state.disconnected(switch.dpid, now_s))

    def confirmed(self, switch: Switch, xid: int, now_s: float) -> None:
        """A barrier reply has come."""
        if self._switches.get(switch.dpid) is switch:
            self._send(self.state.confirmed(switch.dpid, xid, now_s))

    def refused(self, switch: Switch, xid: int, detail: str) -> None:
        """A switch has answered with an error."""
        if self._switches.get(switch.dpid) is switch:
            LOG.error("switch %s: %s", self.wiring.names[switch.dpid], detail)
            self.state.refused(switch.dpid, xid, detail)

    def port_changed(self, switch: Switch, port: int, live: bool, now_s: float) -> None:
        """A port has died or come alive."""
        if self._switches.get(switch.dpid) is switch:
            name = self.wiring.names[switch.dpid]
            LOG.info("switch %s port %d is %s", name, port, "live" if live else "dead")
            self._send(self.state.port_changed(switch.dpid, port, live, now_s))

    def packet_in(self, switch: Switch, port: int, frame: bytes, now_ns: int) -> None:
        """A switch has sent a frame to the controller."""
        if self._switches.get(switch.dpid) is not switch:
            return
        hello = lldp.parse(frame)
        if hello is not None:
            if hello.token == self._token:
                with self.state.sight() as sight:
                    sight.heard(hello, switch.dpid, port, now_ns)
            return
        answer = arp.reply(frame, self.wiring.hosts)
        if answer is not None:
            switch.send_packet(port, answer)

    def changed_by_others(self, switch: Switch, changes: Sequence[str]) -> None:
        """A switch has told of rules that somebody else made, changed or removed."""
        if self._switches.get(switch.dpid) not in (switch, None) or not changes:
            return
        name = self.wiring.names.get(switch.dpid, f"{switch.dpid:#x}")
        LOG.warning("switch %s: somebody else %s", name, "; ".join(changes[:5]))
        with self.state.sight() as sight:
            sight.meddled(name, changes)

    def counted_ports(self, switch: Switch, counts: Mapping[int, PortCount], now_s: float) -> None:
        """A switch has told its ports' counters."""
        with self.state.sight() as sight:
            sight.counters.ports(switch.dpid, counts, now_s)

    def counted_flows(
        self, switch: Switch, counts: Mapping[tuple[object, str], FlowCount], now_s: float
    ) -> None:
        """A switch has told how much it delivered, by source network and target address."""
        with self.state.sight() as sight:
            sight.counted_flows(switch.dpid, counts, now_s)

    def asked(self, now_s: float) -> None:
        """Something was asked for."""
        self._send(self.state.reroute(now_s))

    def tick(self, now_s: float) -> None:
        """A tenth of a second has passed."""
        self._ticks += 1
        if self.state.intent.probing:
            if self._ticks % PROBE_EVERY_TICKS == 0:
                self._probe(self._ticks // PROBE_EVERY_TICKS)
            # Some at every tick: packets wait while a switch in user space answers.
            for switch in [*self._switches.values()][
                self._ticks % COUNT_EVERY_TICKS :: COUNT_EVERY_TICKS
            ]:
                switch.count()
        self._send(self.state.tick(now_s))

    def _probe(self, turn: int) -> None:
        """Have frames sent over every span, and over some of the other cables."""
        cables = [*self._spans, *self._fabric[turn % HELLO_EVERY_PROBES :: HELLO_EVERY_PROBES]]
        # In another order every time: what is sent last waits least for its answer to be read, and
        # the least of many times is what counts.
        first = turn % len(cables) if cables else 0
        for ends, probes in cables[first:] + cables[:first]:
            self._hello(*ends, probes)

    def _hello(
        self, sender: Port, receiver: Port, probes: tuple[str, Direction] | None = None
    ) -> None:
        """Have a switch emit a discovery frame, if both ends are there to send and to hear it."""
        dpids = [self.wiring.dpids[name] for name, _ in (sender, receiver)]
        ports = [port for _, port in (sender, receiver)]
        if not all(dpid in self._switches for dpid in dpids):
            return
        with self.state.sight() as sight:
            if not all(map(sight.port_is_live, dpids, ports)):
                return
            self._number += 1
            now_ns = self._clock()
            if probes:
                sight.probes.sent(*probes, self._number, now_ns)
        hello = lldp.Hello(dpids[0], ports[0], self._number, now_ns, self._token)
        self._switches[dpids[0]].send_packet(ports[0], lldp.frame(hello, _source(dpids[0])))

    def _send(self, batches: list[Batch]) -> None:
        for batch in batches:
            self._switches[batch.dpid].send(batch)

    # Called by the control channel. All raise IntentError on bad data; ControllerError when the
    # policy fails, a switch refuses, or the switches have not confirmed in time.

    def set_links(self, changes: Mapping[str, LinkChange], timeout_s: float) -> int:
        """Apply changes of link states; return how many entries changed."""

        def change(intent: Intent) -> Intent:
            return replace(intent, links={**intent.links, **changed_links(changes, intent.links)})

        return self._ask(change, timeout_s, [*changes])

    def set_policy(self, name: str, demands: tuple[Demand, ...] | None, timeout_s: float) -> int:
        """Route by another policy; return how many entries changed."""
        check_policy(name)
        if demands is not None:
            check_demands(demands, self.wiring.graph)
        return self._ask(
            lambda intent: replace(
                intent, policy=name, demands=intent.demands if demands is None else demands
            ),
            timeout_s,
        )

    def set_probing(self, on: bool, timeout_s: float) -> None:
        """Send discovery frames and read counters from now on, or stop."""
        self._ask(lambda intent: replace(intent, probing=on), timeout_s)

    def drain(self, span: str, timeout_s: float) -> int:
        """Lead all traffic around a span; return once none can be on it any more.

        Raises ControllerError where that would cut campuses off.
        """
        check_spans("span", [span], self.wiring.graph)

        def change(intent: Intent) -> Intent:
            if pairs := self.state.only_over(span):
                named = ", ".join(f"{a} and {b}" for a, b in pairs)
                raise ControllerError(f"span {span} cannot be drained: no other way joins {named}")
            return replace(intent, drained=intent.drained | {span})

        changed = self._ask(change, timeout_s)
        self.state.wait_until_old_rules_are_gone(timeout_s)
        return changed

    def undrain(self, span: str, timeout_s: float) -> int:
        """Let traffic use a span again; return how many entries changed."""
        check_spans("span", [span], self.wiring.graph)
        return self._ask(lambda intent: replace(intent, drained=intent.drained - {span}), timeout_s)

    def _ask(
        self, change: Callable[[Intent], Intent], timeout_s: float, told: Sequence[str] = ()
    ) -> int:
        with self._asking:
            before = self.state.changes
            ticket = self.state.ask(change, told)
            if self._file:
                self.state.intent.write(self._file)
        self.wake()
        return self.state.wait(ticket, timeout_s, told) - before


def _source(dpid: int) -> str:
    """Return a locally administered address for frames of a switch itself."""
    return ":".join(f"{byte:02x}" for byte in b"\x0a" + dpid.to_bytes(8, "big")[-5:])


def _cables(wiring: Wiring) -> tuple[list[Cable], list[Cable]]:
    """Return both ways of every span, and of every cable of a fabric."""
    spans: list[Cable] = []
    for span in wiring.graph.spans:
        forward, backward = wiring.ends(span)
        spans += [
            ((forward, backward), (span, "forward")),
            ((backward, forward), (span, "backward")),
        ]
    fabric: list[Cable] = []
    for link in wiring.graph.links:
        if link.kind == "fabric":
            a, b = (link.a, link.a_port), (link.b, link.b_port)
            fabric += [((a, b), None), ((b, a), None)]
    return spans, fabric
