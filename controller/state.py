"""The controller's one state object: what was asked for, what is seen, what the switches have.

It decides and returns what to send; it never sends, waits for a switch or reads a clock. One lock
guards it: the OpenFlow thread drives it, the control channel's threads ask and wait.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import networkx as nx

from controller import policies
from controller.configuration import forwarding
from controller.errors import ControllerError
from controller.intent import Intent
from controller.rollout import Batch, Rollout
from controller.routes import Routes
from controller.rules import Entry
from controller.sight import Sight
from controller.trace import Tables
from controller.wiring import Wiring
from topologies.linkstate import LinkState

LOG = logging.getLogger("controller")


class State:
    """Intent, sight and rollout, in step."""

    def __init__(self, wiring: Wiring, intent: Intent) -> None:
        """Start without switches; the first `reroute` after all are known applies the policy."""
        self.wiring = wiring
        self._lock = threading.Condition()
        self._intent = intent
        self._sight = Sight(wiring)
        self._rollout = Rollout(wiring, in_flight_s(intent.links))
        self._asked = 1  # how often something was asked for or seen that may change routes
        self._computed = 0  # up to here, the policy was applied
        self._settled = 0  # up to here, its entries are in force or it has failed
        self._used: Mapping[str, LinkState] = {}  # what the policy was given last
        self._in_force_s = 0.0
        self._cut_off: tuple[tuple[str, str], ...] = ()
        self._policy_error: str | None = None

    # Asked by the control channel.

    @property
    def intent(self) -> Intent:
        """What was asked for last."""
        with self._lock:
            return self._intent

    def ask(self, change: Callable[[Intent], Intent], told: Sequence[str] = ()) -> int:
        """Change the intent; return a ticket. Spans in ``told`` are then as the intent says."""
        with self._lock:
            self._intent = change(self._intent)
            self._sight.told(told)
            # Packets may still be on a span as it was told to be before.
            in_flight = max(self._rollout.in_flight_s, in_flight_s(self._intent.links))
            self._rollout.in_flight_s = in_flight
            self._asked += 1
            return self._asked

    def wait(self, ticket: int, timeout_s: float, told: Sequence[str] = ()) -> int:
        """Wait until switches confirm what was asked for; return the changes to entries so far.

        ``told`` are spans whose ports must have come up if the intent says so. Raises
        ControllerError when the policy fails, a switch refuses, or at the timeout.
        """
        with self._lock:
            if not self._lock.wait_for(lambda: self._is_settled(ticket, told), timeout_s):
                dark = [
                    span
                    for span in told
                    if self._intent.links[span].up and not self._sight.lit(span)
                ]
                slow = [self.wiring.names[dpid] for dpid in self._rollout.missing]
                what = f"not confirmed by {', '.join(slow)}" if slow else "not in force"
                if dark:
                    what = f"waiting for span {', '.join(dark)}, whose ports are not live"
                why = f": {self.error}" if self.error else ""
                raise ControllerError(f"after {timeout_s:g} s the new rules are {what}{why}")
            if error := self.error:
                raise ControllerError(error)
            return self._rollout.changes

    def wait_until_old_rules_are_gone(self, timeout_s: float) -> None:
        """Wait until no packet can be under way by an older version; raises ControllerError."""
        with self._lock:
            if not self._lock.wait_for(lambda: not self._rollout.retiring(), timeout_s):
                raise ControllerError(f"after {timeout_s:g} s packets may be under way as before")

    def _is_settled(self, ticket: int, told: Sequence[str]) -> bool:
        links, drained = self._intent.links, self._intent.drained
        return self._settled >= max(ticket, self._computed) and all(
            self._used[span].up for span in told if links[span].up and span not in drained
        )

    @property
    def error(self) -> str | None:
        """What went wrong last and still holds."""
        return self._policy_error or self._rollout.refusal

    @property
    def in_force(self) -> bool:
        """Whether the policy has been applied, and every switch has all its entries."""
        with self._lock:
            return bool(self._settled and self._rollout.serving and not self._rollout.missing)

    @property
    def version(self) -> int:
        """The version in force."""
        return self._rollout.serving

    @property
    def in_force_s(self) -> float:
        """When that version came into force; 0 if that was before this controller was started."""
        return self._in_force_s

    @property
    def retiring(self) -> bool:
        """Whether entries of an older version are still to be removed."""
        with self._lock:
            return self._rollout.retiring()

    @property
    def changes(self) -> int:
        """How many entries were made and removed so far."""
        return self._rollout.changes

    @property
    def cut_off(self) -> tuple[tuple[str, str], ...]:
        """Pairs of campuses that the routes in force leave apart."""
        return self._cut_off

    def only_over(self, span: str) -> tuple[tuple[str, str], ...]:
        """Return the pairs of campuses that would be cut off without a span, and are not now."""
        used = self.used()
        joined: nx.Graph[str] = nx.Graph()
        joined.add_nodes_from(self.wiring.workers_of)
        for name, link in self.wiring.graph.spans.items():
            if used[name].up and name != span:
                joined.add_edge(self.wiring.campus[link.a], self.wiring.campus[link.b])
        campuses = [*self.wiring.workers_of]
        pairs = [(a, b) for index, a in enumerate(campuses) for b in campuses[index + 1 :]]
        apart = (pair for pair in pairs if not nx.has_path(joined, *pair))
        return tuple(pair for pair in apart if pair not in self._cut_off)

    def missing(self) -> tuple[str, ...]:
        """Return the switches that do not have all their entries, by name."""
        with self._lock:
            return tuple(self.wiring.names[dpid] for dpid in self._rollout.missing)

    def used(self) -> dict[str, LinkState]:
        """Return the span states that policies are given: as told, corrected by what is seen."""
        with self._lock:
            return self._sight.used(self._intent)

    @contextmanager
    def sight(self) -> Iterator[Sight]:
        """Look at what is seen, or add to it, while nobody else does."""
        with self._lock:
            yield self._sight

    def tables(self) -> Tables:
        """Return the entries that the switches have confirmed, and the ports that are dead."""
        with self._lock:
            return Tables(self.wiring, self._rollout.entries(), self._sight.dead_ports())

    # Driven by the OpenFlow thread, one call at a time; each returns what to send next, in order.

    def connected(
        self, dpid: int, found: Sequence[Entry], live: Mapping[int, bool], now_s: float
    ) -> list[Batch]:
        """Take in a switch with what it holds and which of its ports are live."""
        with self._lock:
            self._sight.connected(dpid, live)
            self._rollout.connected(dpid, found, now_s)
            self._asked += 1
        return self._advance(now_s)

    def disconnected(self, dpid: int, now_s: float) -> list[Batch]:
        """Go on without a switch; it forwards by the rules it has until it is back."""
        with self._lock:
            self._rollout.disconnected(dpid)
            self._sight.counters.forget(dpid)
        return self._advance(now_s)

    def confirmed(self, dpid: int, xid: int, now_s: float) -> list[Batch]:
        """Take note of a barrier reply, which confirms a batch."""
        with self._lock:
            self._rollout.confirmed(dpid, xid)
        return self._advance(now_s)

    def refused(self, dpid: int, xid: int, detail: str) -> None:
        """Take note that a switch refused part of a batch."""
        with self._lock:
            self._rollout.refused(dpid, xid, detail)

    def port_changed(self, dpid: int, port: int, live: bool, now_s: float) -> list[Batch]:
        """Take note that a port has died or come alive, and route anew where that matters."""
        with self._lock:
            if not self._sight.port_changed(dpid, port, live, self._intent.links, now_s):
                return []
            self._asked += 1
            self._lock.notify_all()
        return self._advance(now_s)

    def reroute(self, now_s: float) -> list[Batch]:
        """Apply the policy to what is asked for and seen."""
        return self._advance(now_s)

    def tick(self, now_s: float) -> list[Batch]:
        """Let time pass."""
        with self._lock:
            self._rollout.expire(now_s)
            self._sight.tick(self._intent.links, now_s)
            if self.used() != self._used:
                self._asked += 1
            self._lock.notify_all()
        return self._advance(now_s)

    def _advance(self, now_s: float) -> list[Batch]:
        """Return the next batches; apply the policy first where something may have changed."""
        with self._lock:
            stale = self._computed < self._asked and not self._rollout.busy
            stale = stale and not self._rollout.unknown
        if stale:
            self._apply_policy()
        with self._lock:
            before = self._rollout.serving
            batches = self._rollout.advance(now_s)
            if self._rollout.serving != before:
                self._in_force_s = now_s
                LOG.info("version %d is in force", self._rollout.serving)
            settled = not self._rollout.busy and not batches
            if settled and self._settled < self._computed:
                self._settled = self._computed
                self._lock.notify_all()
            again = settled and self._computed < self._asked and not self._rollout.unknown
        return self._advance(now_s) if again else batches

    def _apply_policy(self) -> None:
        """Propose what the policy wants; where it fails, the old rules stay.

        Outside the lock, so that whoever asks is answered however long it takes.
        """
        with self._lock:
            asked, intent, used = self._asked, self._intent, self.used()
        graph, rollout = self.wiring.graph, self._rollout
        try:
            routes = policies.load(intent.policy)(graph, used, intent.demands)
            in_force = forwarding(self.wiring, routes, used, rollout.serving)
        except Exception as error:  # a policy is anybody's code
            LOG.exception('policy "%s" failed; the old rules stay', intent.policy)
            with self._lock:
                self._policy_error = f'policy "{intent.policy}": {type(error).__name__}: {error}'
                self._computed, self._used = asked, used
            return
        with self._lock:
            self._policy_error = None
            self._computed, self._used = asked, used
            self._cut_off = cut_off(self.wiring, routes)
            if rollout.serving and rollout.same(in_force):
                rollout.refusal = None
            else:
                rollout.propose(lambda version: forwarding(self.wiring, routes, used, version))


def in_flight_s(links: Mapping[str, LinkState]) -> float:
    """Return how long a packet may be under way: over every span, and as long in queues."""
    return 1.0 + 2 * sum(state.delay_ns for state in links.values()) / 1e9


def cut_off(wiring: Wiring, routes: Routes) -> tuple[tuple[str, str], ...]:
    """Return the pairs of campuses of which some workers cannot reach each other."""
    found = set()
    for target in wiring.graph.workers:
        ways = routes.toward.get(target.name, {})
        for source in wiring.graph.workers:
            switch = wiring.access[source.name][0]
            if switch not in ways and switch != wiring.access[target.name][0]:
                found.add((source.campus, target.campus))
    return tuple(sorted(found))
