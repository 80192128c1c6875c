"""Configurations put in force one after the other, so that every packet meets one of them alone.

The two-phase update of Reitblatt et al., SIGCOMM 2012: every switch is given the new version's
entries beside the old; once all have confirmed, the edges stamp what enters with the new version;
once those have confirmed, and no packet of the old version can be under way, the old entries go.
Whatever is lost, late or repeated in between, a packet is forwarded by one complete version.

Driven by what each switch has against what it should have: a switch that comes back, or a
controller that starts anew, needs no procedure of its own. Pure: it returns what to send.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count

from controller.configuration import ENTRY, PRIORITY_STAMP, base, stamps
from controller.label import COOKIE, next_version
from controller.rules import Entry, Key, Rule, table
from controller.wiring import Wiring

Held = dict[int, dict[Key, Entry]]
"""Entries by key, by datapath id."""


@dataclass(frozen=True)
class Batch:
    """Entries that a switch is to make and to remove, closed by a barrier with this ``xid``."""

    dpid: int
    xid: int
    adds: tuple[Entry, ...] = ()
    deletes: tuple[Entry, ...] = ()


class Rollout:
    """What each switch has, should have, and is being told.

    Attributes:
        serving: the version in force; 0 before the first.
        changes: entries made and removed so far.
        refusal: what a switch refused of the newest version, if anything.
    """

    def __init__(self, wiring: Wiring, in_flight_s: float) -> None:
        """Take how long a packet may be under way; an old version's entries stay that long."""
        self._wiring, self.in_flight_s = wiring, in_flight_s
        self.serving, self.changes = 0, 0
        self.refusal: str | None = None
        self._base = _by_switch(wiring, base(wiring))
        self._versions: dict[int, Held] = {}
        self._next: int | None = None
        self._stamping = False
        self._retire_at: dict[int, float] = {}
        self._has: Held = {}
        self._sent: Held = {}  # by switches that are connected: once they confirm what is pending
        self._pending: dict[int, Batch] = {}
        self._stale: set[int] = set()  # switches that may lack something, or have too much
        self._unseen: set[int] = set()  # switches that came, and were told nothing yet
        self._xids = count(1)
        self._newest = 0
        self._given_up: set[int] = set()  # xids of batches that held a version given up, no more
        self._stuck: set[int] = set()  # xids of batches of which a part that must be was refused
        self._adopted = False

    @property
    def busy(self) -> bool:
        """Whether a version is on its way into force."""
        return self._next is not None

    @property
    def missing(self) -> list[int]:
        """The switches that are not connected, or have not confirmed all that they were told."""
        names = self._wiring.names
        waiting = self._pending.keys() | self._unseen
        return [dpid for dpid in names if dpid not in self._sent or dpid in waiting]

    @property
    def unknown(self) -> bool:
        """Whether some switch has never been seen, so that nothing can be changed safely."""
        return not self._adopted

    def entries(self) -> list[Entry]:
        """Return what the switches have confirmed."""
        return [entry for held in self._has.values() for entry in held.values()]

    def retiring(self) -> bool:
        """Whether entries of an older version may still be in use."""
        return bool(self._retire_at)

    def same(self, entries: Iterable[Entry]) -> bool:
        """Return whether these are the entries of the version in force."""
        return self._versions.get(self.serving) == _by_switch(self._wiring, entries)

    def propose(self, make: Callable[[int], Iterable[Entry]]) -> None:
        """Begin to put a new version in force, of the entries made for its number."""
        assert not self.busy, "one version at a time"
        # Not even the number of one that was given up: a switch may hold a part of that still.
        version = next_version(self._newest)
        while version in self._versions:
            version = next_version(version)
        self._versions[version] = _by_switch(self._wiring, make(version))
        self._newest = self._next = version
        self._stamping, self.refusal = False, None
        self._stale.update(self._wiring.names)

    def connected(self, dpid: int, found: Iterable[Entry], now_s: float) -> None:
        """Take note of a switch and of what it holds."""
        self._forget(dpid)
        self.refusal = None
        self._has[dpid] = table(found)
        self._sent[dpid] = dict(self._has[dpid])
        self._stale.add(dpid)
        self._unseen.add(dpid)
        if not self._adopted and len(self._has) == len(self._wiring.names):
            self._adopt()

    def disconnected(self, dpid: int) -> None:
        """Go on without a switch, which forwards by what it has; no version changes meanwhile."""
        self._forget(dpid)

    def confirmed(self, dpid: int, xid: int) -> None:
        """Take note of a barrier reply."""
        batch = self._pending.get(dpid)
        if batch is None or batch.xid != xid or xid in self._stuck:
            return
        del self._pending[dpid]
        for entry in batch.deletes:
            self._has[dpid].pop(entry.key, None)
        self._has[dpid].update(table(batch.adds))

    def refused(self, dpid: int, xid: int, detail: str) -> None:
        """Give up the version that a switch refuses a part of; the one in force stays.

        A switch that refuses part of anything else must come back, so that what it holds is known.
        """
        batch = self._pending.get(dpid)
        if batch is None or batch.xid != xid or xid in self._given_up:
            return
        self.refusal = f'switch "{self._wiring.names[dpid]}" refused a rule: {detail}'
        if self._next is not None and not self._stamping:
            version, self._next = self._versions.pop(self._next), None
            self._stale.update(self._wiring.names)
            for batch in self._pending.values():
                if all(entry.key in version[batch.dpid] for entry in batch.adds):
                    self._given_up.add(batch.xid)
        if xid not in self._given_up:
            self._stuck.add(xid)

    def expire(self, now_s: float) -> None:
        """Let go of versions whose last packets have arrived."""
        for version in [v for v, at_s in self._retire_at.items() if at_s <= now_s]:
            del self._retire_at[version], self._versions[version]
            self._stale.update(self._wiring.names)

    def advance(self, now_s: float) -> list[Batch]:
        """Return what is to be sent next; a switch has one batch to confirm at a time."""
        while not (batches := self._batches()):
            if self._pending or self._next is None or len(self._sent) < len(self._wiring.names):
                return []
            if not self._stamping:
                self._stamping = True
                self._stale.update(self._wiring.names)
                continue
            self.serving, self._next, self._stamping = self._next, None, False
            for version in self._versions:
                if version != self.serving:
                    self._retire_at.setdefault(version, now_s + self.in_flight_s)
        return batches

    def _batches(self) -> list[Batch]:
        batches = []
        for dpid in sorted(self._stale & self._sent.keys() - self._pending.keys()):
            sent, target = self._sent[dpid], self._target(dpid)
            adds = tuple(entry for key, entry in target.items() if sent.get(key) != entry)
            deletes = tuple(entry for key, entry in sent.items() if key not in target)
            if adds or deletes:
                batch = Batch(dpid, next(self._xids), adds, deletes)
                self._pending[dpid] = batch
                self._sent[dpid] = target
                self.changes += len(adds) + len(deletes)
                batches.append(batch)
            self._stale.discard(dpid)
            self._unseen.discard(dpid)
        return batches

    def _target(self, dpid: int) -> dict[Key, Entry]:
        """Return what a switch should have now."""
        target = dict(self._base[dpid])
        if not self._adopted:
            return self._has[dpid] | target  # what else it has may be in use
        stamped = self._next if self._next is not None and self._stamping else self.serving
        if stamped:
            target |= table(rule for rule in stamps(self._wiring, stamped) if rule.dpid == dpid)
        for held in self._versions.values():
            target |= held[dpid]
        return target

    def _adopt(self) -> None:
        """Take the switches' own word for which versions there are and which is in force.

        Two may be, where an update was cut short: then it is ended, so that one is.
        """
        self._adopted = True
        self._stale.update(self._wiring.names)
        stamped: Counter[int] = Counter()
        for entry in self.entries():
            if version := _version(entry):
                if isinstance(entry, Rule) and entry.table == ENTRY:
                    stamped[version] += entry.priority == PRIORITY_STAMP
                else:
                    held = self._versions.setdefault(version, {d: {} for d in self._wiring.names})
                    held[entry.dpid][entry.key] = entry
        if stamped:
            self.serving = max(stamped, key=lambda version: (stamped[version], version))
            self._versions.setdefault(self.serving, {dpid: {} for dpid in self._wiring.names})
            self._next, self._stamping = self.serving, True
        self._newest = max(self._versions, default=0)

    def _forget(self, dpid: int) -> None:
        self._sent.pop(dpid, None)
        self._pending.pop(dpid, None)
        self._unseen.discard(dpid)


def _by_switch(wiring: Wiring, entries: Iterable[Entry]) -> Held:
    held: Held = {dpid: {} for dpid in wiring.names}
    for entry in entries:
        held[entry.dpid][entry.key] = entry
    return held


def _version(entry: Entry) -> int:
    """Return the version that one of our entries belongs to; 0: none, or not ours."""
    if not isinstance(entry, Rule):
        return entry.number >> 16
    return entry.cookie & 0xFFFF if entry.cookie >> 16 == COOKIE >> 16 else 0
