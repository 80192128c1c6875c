"""Switches that do what they are told late, in another order and more than once; and packets.

No sockets and no clock: a test moves both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from random import Random

from controller.label import version_of
from controller.openflow import stages
from controller.rollout import Batch
from controller.rules import (
    ETH_IPV4,
    Action,
    Entry,
    Group,
    Key,
    Meter,
    Rule,
    ToGroup,
    Value,
    table,
)
from controller.trace import Port, Tables, matches
from controller.wiring import Wiring

REPEATED = 0.1
"""Share of messages that a switch meets twice."""


@dataclass(frozen=True)
class Reply:
    """What a switch answers: a barrier's reply, or that it refused something."""

    dpid: int
    xid: int
    refused: bool = False


class SlowSwitch:
    """A flow table as OpenFlow 1.3.5 has it; what the specification refuses fails the test.

    Attributes:
        full: while set, nothing new is taken, nor what refers to it.
    """

    def __init__(self, dpid: int) -> None:
        self.dpid = dpid
        self.held: dict[Key, Entry] = {}
        self.full = False
        self._batches: deque[Batch] = deque()
        self._stages: deque[tuple[list[Entry], bool] | int] = deque()  # int: a barrier's number
        self._done: list[Entry] = []
        self._refused: set[Key] = set()

    @property
    def idle(self) -> bool:
        return not self._stages

    def tell(self, batch: Batch, random: Random) -> None:
        for entries, add in stages(batch):
            self._stages.append((random.sample(entries, len(entries)), add))
        self._stages.append(batch.xid)
        self._batches.append(batch)

    def work(self, random: Random) -> Entry | Reply:
        """Do one thing; return the entry that it was about, or what is to be answered."""
        stage = self._stages[0]
        if isinstance(stage, int):
            self._stages.popleft()
            self._batches.popleft()
            return Reply(self.dpid, stage)
        entries, add = stage
        if self._done and random.random() < REPEATED:
            entry = random.choice(self._done)
        else:
            entry = entries.pop()
            self._done.append(entry)
        if not entries:
            self._stages.popleft()
            self._done.clear()
        if not add:
            self._remove(entry)
        elif not self._make(entry):
            return Reply(self.dpid, self._batches[0].xid, refused=True)
        return entry

    def cut(self) -> None:
        """Lose the connection, and with it all that was not done yet."""
        self._stages.clear()
        self._batches.clear()
        self._done.clear()

    def _make(self, entry: Entry) -> bool:
        before = self.held.get(entry.key)
        if (self.full and not before) or refers_to(entry) & self._refused:
            self._refused.add(entry.key)
            return False
        if not isinstance(entry, Rule):
            assert before in (None, entry), f"GROUP_EXISTS or METER_EXISTS: {entry}"
        for key in refers_to(entry):
            assert key in self.held, f"{entry} refers to what is not there"
        self.held[entry.key] = entry
        self._refused.discard(entry.key)
        return True

    def _remove(self, entry: Entry) -> None:
        # Removing a group or meter removes the rules that refer to it, too.
        users = [user for user in self.held.values() if entry.key in refers_to(user)]
        assert not users, f"{entry} is in use: {users}"
        self.held.pop(entry.key, None)


def refers_to(entry: Entry) -> set[Key]:
    """Return the groups and meters that an entry cannot be without."""
    if isinstance(entry, Meter):
        return set()
    actions: list[Action] = []
    keys: set[Key] = set()
    if isinstance(entry, Group):
        actions += [action for bucket in entry.buckets for action in bucket.actions]
    else:
        actions += entry.actions
        keys |= {("meter", entry.dpid, entry.meter)} if entry.meter is not None else set()
    return keys | {("group", entry.dpid, a.number) for a in actions if isinstance(a, ToGroup)}


@dataclass(frozen=True)
class Place:
    """A packet that is about to enter a switch."""

    switch: str
    in_port: int
    eth_dst: str
    source: str
    target: str

    @property
    def label(self) -> int:
        """The version that it is stamped with; 0 before and after."""
        return version_of(self.eth_dst) if self.eth_dst.startswith("06:") else 0


LOST = "lost"
Onward = frozenset[Place | str]
"""What becomes of a packet: places, hosts that it arrives at, or LOST."""


class _Recording(Tables):
    """Tells which lookups were made."""

    def __init__(self, wiring: Wiring, entries: Iterable[Entry], dead: Collection[Port]) -> None:
        super().__init__(wiring, entries, dead)
        self.lookups: list[tuple[int, Mapping[str, Value]]] = []

    def lookup(self, dpid: int, table: int, fields: Mapping[str, Value]) -> Rule | None:
        self.lookups.append((table, fields))
        return super().lookup(dpid, table, fields)


class Packets:
    """What becomes of packets in switches whose entries change, each step found out only once."""

    def __init__(self, wiring: Wiring, held: Mapping[int, dict[Key, Entry]]) -> None:
        """Take the entries of each switch, by key; `changed` must be called when one changes."""
        self._wiring, self._held = wiring, held
        self._hosts = {host.name: host for host in wiring.graph.hosts}
        self._onward: dict[str, dict[Place, Onward]] = {name: {} for name in wiring.dpids}
        self._lookups: dict[Place, list[tuple[int, Mapping[str, Value]]]] = {}
        self._tables: dict[str, _Recording] = {}
        self.dead: frozenset[Port] = frozenset()

    def entering(self, source: str, target: str) -> Place:
        switch, port = self._wiring.access[source]
        return Place(switch, port, self._hosts[target].mac, source, target)

    def kill(self, dead: frozenset[Port]) -> None:
        """Let exactly these ports be dead."""
        for switch, _ in dead ^ self.dead:
            self._tables.pop(switch, None)
            self._onward[switch].clear()
        self.dead = dead

    def changed(self, entry: Entry) -> bool:
        """Take note of an entry that was made or removed; return whether a known packet meets it.

        Groups and meters are met by way of rules only: what refers to them is there without them
        at no time, and they never change.
        """
        switch = self._wiring.names[entry.dpid]
        self._tables.pop(switch, None)
        if not isinstance(entry, Rule):
            return False
        onward = self._onward[switch]
        meet = [place for place in onward if self._meets(place, entry)]
        before = {place: onward.pop(place) for place in meet}
        return any(self.onward(place) != was for place, was in before.items())

    def _meets(self, place: Place, rule: Rule) -> bool:
        return any(
            number == rule.table and matches(rule, fields)
            for number, fields in self._lookups[place]
        )

    def onward(self, place: Place) -> Onward:
        """Return all that one switch may do with a packet."""
        known = self._onward[place.switch]
        if place not in known:
            known[place] = self._found(place)
        return known[place]

    def _found(self, place: Place) -> Onward:
        wiring, switch = self._wiring, place.switch
        if switch not in self._tables:
            entries = self._held[wiring.dpids[switch]].values()
            self._tables[switch] = _Recording(wiring, entries, self.dead)
        tables = self._tables[switch]
        tables.lookups = []
        fields: dict[str, Value] = {
            "eth_type": ETH_IPV4,
            "in_port": place.in_port,
            "eth_dst": place.eth_dst,
            "ipv4_src": self._hosts[place.source].ip,
            "ipv4_dst": self._hosts[place.target].ip,
        }
        onward: set[Place | str] = set()
        for port, _, changed in tables.forwarded(switch, fields):
            out = switch, port
            far = wiring.far.get(out)
            address = str(changed["eth_dst"])
            if far is None or out in self.dead:
                onward.add(LOST)
            elif far in wiring.dpids:
                in_port = wiring.far_port[out]
                onward.add(Place(far, in_port, address, place.source, place.target))
            else:
                mine = address == self._hosts[place.target].mac
                onward.add(far if mine else LOST)
        self._lookups[place] = tables.lookups
        return frozenset(onward)

    def fates(self, place: Place) -> tuple[frozenset[str], set[Place]]:
        """Return all ends of the ways from a place, and the places on them.

        Fails where a way leads in a circle, or a packet meets rules of two versions.
        """
        ends: set[str] = set()
        done: set[Place] = set()
        way: list[Place] = []

        def follow(place: Place) -> None:
            assert place not in way, f"a loop: {[*way, place]}"
            if place in done:
                return
            way.append(place)
            for after in self.onward(place):
                if isinstance(after, str):
                    ends.add(after)
                else:
                    assert place.label in (0, after.label), f"two versions: {[*way, after]}"
                    follow(after)
            done.add(way.pop())

        follow(place)
        return frozenset(ends), done

    def arrives(self, place: Place) -> bool:
        """Return whether a packet arrives, whichever way it takes."""
        return self.fates(place)[0] == {place.target}


def packets_of(wiring: Wiring, entries: Iterable[Entry]) -> Packets:
    """Return what becomes of packets where switches hold these entries."""
    held: dict[int, dict[Key, Entry]] = {dpid: {} for dpid in wiring.names}
    for key, entry in table(entries).items():
        held[entry.dpid][key] = entry
    return Packets(wiring, held)
