"""The controller's one state object: what switches have, what they should have, what is under way.

It decides and returns what to send; it never sends, waits for a switch or reads a clock. One lock
guards it: the OpenFlow thread drives it, the control channel's threads ask and wait.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from controller import policies
from controller.errors import ControllerError
from controller.rules import Key, Rule, after, base_rules, next_stage, route_rules, table
from controller.trace import Tables
from controller.wiring import Wiring
from topologies.linkstate import LinkState

LOG = logging.getLogger("controller")


@dataclass(frozen=True)
class Batch:
    """Messages for one switch, closed by a barrier whose transaction id is ``xid``.

    Attributes:
        wipe: whether the switch first forgets every rule it has.
        install: whether this is everything that the switch needs to be ready.
    """

    dpid: int
    xid: int
    adds: tuple[Rule, ...] = ()
    deletes: tuple[Rule, ...] = ()
    wipe: bool = False
    install: bool = False


@dataclass(frozen=True)
class Ticket:
    """A request for new link states: its number, and how many rules had been changed before."""

    version: int
    changes_before: int


class State:
    """Link states, rules and switches."""

    def __init__(self, wiring: Wiring, policy: str, links: Mapping[str, LinkState]) -> None:
        """Start with the rules that hold under every policy; `reroute` applies the policy."""
        self.wiring, self.policy = wiring, policy
        self._lock = threading.Condition()
        self._links = dict(links)
        self._wanted = table(base_rules(wiring))
        self._sent = dict(self._wanted)  # what every switch has once it has confirmed all batches
        self._confirmed: dict[int, dict[Key, Rule]] = {dpid: {} for dpid in wiring.names}
        self._ever_sent: dict[int, dict[Key, Rule]] = {}
        self._ready: dict[int, bool] = {}  # of the switches that are connected
        self._pending: dict[int, Batch] = {}  # by xid, until its barrier is confirmed
        self._xids = count(1)
        self._version = 1  # of the links, as asked for
        self._wanted_version = 0  # of the links that `wanted` was computed from
        self._settled_version = 0  # up to here, rules are confirmed or the policy has failed
        self._changes = 0
        self._serving = False  # whether a policy's rules have been confirmed once
        self._policy_error: str | None = None
        self._refusals: dict[int, str] = {}

    # Asked by the control channel.

    def links(self) -> dict[str, LinkState]:
        """Return the link states last asked for."""
        with self._lock:
            return dict(self._links)

    def request(self, changes: Mapping[str, LinkState]) -> Ticket:
        """Take note of new link states of some spans; the next `reroute` acts on them."""
        with self._lock:
            self._links.update(changes)
            self._version += 1
            return Ticket(self._version, self._changes)

    def wait(self, ticket: Ticket, timeout_s: float) -> int:
        """Wait until the switches confirm a request; return the rules changed since it was made.

        Raises ControllerError when the policy fails, a switch refuses a rule, or at the timeout.
        """
        with self._lock:
            if not self._lock.wait_for(lambda: self._settled_version >= ticket.version, timeout_s):
                slow = sorted({self.wiring.names[batch.dpid] for batch in self._pending.values()})
                what = f"not confirmed by {', '.join(slow)}" if slow else "not yet computed"
                raise ControllerError(f"after {timeout_s:g} s the new rules are {what}")
            if error := self._error():
                raise ControllerError(error)
            return self._changes - ticket.changes_before

    def health(self) -> dict[str, Any]:
        """Return what ``GET /health`` shows."""
        with self._lock:
            names = self.wiring.names
            missing = [names[dpid] for dpid in names if not self._ready.get(dpid)]
            return {
                "ready": self._serving and not missing,
                "switches": {
                    "expected": len(names),
                    "ready": len(names) - len(missing),
                    "missing": missing,
                },
                "policy": self.policy,
                "error": self._error(),
            }

    def tables(self) -> Tables:
        """Return the rules that the switches have confirmed."""
        with self._lock:
            rules = [rule for rules in self._confirmed.values() for rule in rules.values()]
        return Tables(self.wiring, rules)

    # Driven by the OpenFlow thread, one call at a time; each returns what to send next, in order.

    def connected(self, dpid: int) -> list[Batch]:
        """Give a switch that has (re)connected all its rules, and take stale ones from it."""
        with self._lock:
            self._forget(dpid)
            first = dpid not in self._ever_sent
            sent_before = self._ever_sent.setdefault(dpid, {})
            rules = {key: rule for key, rule in self._sent.items() if rule.dpid == dpid}
            stale = [rule for key, rule in sent_before.items() if key not in rules]
            self._ready[dpid] = False
            # At first its table may hold anything; later it forwards on while rules are renewed.
            return [self._batch(dpid, tuple(rules.values()), tuple(stale), first, True)]

    def disconnected(self, dpid: int) -> list[Batch]:
        """Go on without a switch; it forwards by the rules it has until it is back."""
        with self._lock:
            self._forget(dpid)
            return self._advance()

    def confirmed(self, dpid: int, xid: int) -> list[Batch]:
        """Take note of a barrier reply, which confirms a batch."""
        with self._lock:
            batch = self._pending.get(xid)
            if batch is None or batch.dpid != dpid:
                return []
            del self._pending[xid]
            rules = {} if batch.install else self._confirmed[dpid]
            for rule in batch.deletes:
                rules.pop(rule.key, None)
            rules.update(table(batch.adds))
            self._confirmed[dpid] = rules
            if batch.install:
                self._ready[dpid] = dpid not in self._refusals
            return self._advance()

    def refused(self, dpid: int, xid: int, detail: str) -> None:
        """Take note that a switch refused part of a batch; only its reconnecting mends that."""
        with self._lock:
            if xid in self._pending:
                self._refusals[dpid] = (
                    f'switch "{self.wiring.names[dpid]}" refused a rule: {detail}'
                )

    def reroute(self) -> list[Batch]:
        """Apply the policy to the newest link states; where it fails, the old rules stay."""
        with self._lock:
            version, links = self._version, dict(self._links)
        try:
            routes = policies.load(self.policy)(self.wiring.graph, links)
            wanted = table([*base_rules(self.wiring), *route_rules(self.wiring, routes)])
        except Exception as error:  # a policy is anybody's code
            LOG.exception('policy "%s" failed; the old rules stay', self.policy)
            with self._lock:
                self._policy_error = f'policy "{self.policy}": {type(error).__name__}: {error}'
                self._settle(version)
            return []
        with self._lock:
            self._policy_error = None
            self._wanted, self._wanted_version = wanted, version
            return self._advance()

    # With the lock held.

    def _advance(self) -> list[Batch]:
        """Return the next stage's batches, unless earlier ones are still to be confirmed."""
        while not self._pending:
            stage = next_stage(self.wiring, self._sent, self._wanted)
            if stage is None:
                if self._wanted_version:
                    self._serving = True
                    self._settle(self._wanted_version)
                return []
            self._sent = after(self._sent, stage)
            self._changes += len(stage.adds) + len(stage.deletes)
            batches = []
            for dpid in self._ready:
                adds = tuple(rule for rule in stage.adds if rule.dpid == dpid)
                deletes = tuple(rule for rule in stage.deletes if rule.dpid == dpid)
                if adds or deletes:
                    batches.append(self._batch(dpid, adds, deletes))
            if batches:
                return batches
        return []

    def _batch(
        self,
        dpid: int,
        adds: tuple[Rule, ...],
        deletes: tuple[Rule, ...],
        wipe: bool = False,
        install: bool = False,
    ) -> Batch:
        batch = Batch(dpid, next(self._xids), adds, deletes, wipe, install)
        self._pending[batch.xid] = batch
        self._ever_sent[dpid].update(table(adds))
        return batch

    def _forget(self, dpid: int) -> None:
        self._ready.pop(dpid, None)
        self._refusals.pop(dpid, None)
        self._pending = {xid: batch for xid, batch in self._pending.items() if batch.dpid != dpid}

    def _settle(self, version: int) -> None:
        self._settled_version = max(self._settled_version, version)
        self._lock.notify_all()

    def _error(self) -> str | None:
        return self._policy_error or next(iter(self._refusals.values()), None)
