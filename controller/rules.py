"""Entries: what the switches are told, independent of OpenFlow's encoding. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from controller.label import COOKIE

Value = int | str | tuple[str, str]
"""Of a field: a number, an address, or an address and its mask."""
Match = tuple[tuple[str, Value], ...]
"""Packets by OpenFlow's names of their fields, sorted; what is not named may be anything."""

ETH_IPV4, ETH_ARP, ETH_LLDP = 0x0800, 0x0806, 0x88CC
ARP_REQUEST = 1


def match(**fields: Value) -> Match:
    """Return a match of these fields."""
    return tuple(sorted(fields.items()))


class To(Enum):
    """Where a rule sends packets that is not a port."""

    CONTROLLER = "controller"
    IN_PORT = "back where it came from"
    """A switch sends no packet back out of its port unless told so by this name."""


@dataclass(frozen=True)
class Output:
    """Send the packet out of a port."""

    port: int | To


@dataclass(frozen=True)
class ToGroup:
    """Let a group decide."""

    number: int


@dataclass(frozen=True)
class SetMac:
    """Rewrite the destination's Ethernet address."""

    mac: str


Action = Output | ToGroup | SetMac


@dataclass(frozen=True)
class Rule:
    """One entry of one flow table; without actions and ``goto`` packets are dropped.

    Attributes:
        goto: the table that goes on after the actions.
        meter: the meter that packets pass first.
    """

    dpid: int
    table: int
    priority: int
    match: Match
    actions: tuple[Action, ...] = ()
    goto: int | None = None
    meter: int | None = None
    cookie: int = COOKIE

    @property
    def key(self) -> Key:
        """Return what identifies the rule: adding one replaces the one of the same key."""
        return "rule", self.dpid, (self.table, self.priority, self.match)


@dataclass(frozen=True)
class Bucket:
    """One of the ways on that a group chooses from.

    Attributes:
        weight: its share, in a group that selects.
        watch: the port that must be live, in a group that fails over.
    """

    actions: tuple[Action, ...]
    weight: int = 0
    watch: int | None = None


@dataclass(frozen=True)
class Group:
    """Ways on: ``select`` spreads flows over them by weight, ``failover`` takes the first live."""

    dpid: int
    number: int
    kind: Literal["select", "failover"]
    buckets: tuple[Bucket, ...]

    @property
    def key(self) -> Key:
        """Return what identifies the group."""
        return "group", self.dpid, self.number


@dataclass(frozen=True)
class Meter:
    """A limit above which packets are dropped, in kilobits of frames per second."""

    dpid: int
    number: int
    rate_kbps: int

    @property
    def key(self) -> Key:
        """Return what identifies the meter."""
        return "meter", self.dpid, self.number


Entry = Rule | Group | Meter
Key = tuple[str, int, int | tuple[int, int, Match]]
Table = Mapping[Key, Entry]


def table(entries: Iterable[Entry]) -> dict[Key, Entry]:
    """Return the entries by key."""
    return {entry.key: entry for entry in entries}


def build_order(entry: Entry) -> int:
    """Return the rank in which entries must be made: what others refer to comes first.

    Meters and groups that fail over, groups that select among those, rules.
    """
    if isinstance(entry, Rule):
        return 2
    return 1 if isinstance(entry, Group) and entry.kind == "select" else 0
