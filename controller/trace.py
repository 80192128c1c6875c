"""Follow a packet through entries: what the switches do with it, not what was meant. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from controller.configuration import ENTRY
from controller.rules import (
    ETH_IPV4,
    Action,
    Entry,
    Group,
    Output,
    Rule,
    SetMac,
    To,
    ToGroup,
    Value,
)
from controller.wiring import Wiring

Port = tuple[str, int]
"""A switch's name and the number of its port."""


@dataclass(frozen=True)
class Trace:
    """The nodes that a packet visits in order, and what becomes of it at the last one.

    Attributes:
        outcome: ``delivered`` only with the address that the target listens to.
        ports: those that it leaves the switches by.
        share: of the flows that take this way, in case several may.
    """

    nodes: tuple[str, ...]
    outcome: Literal["delivered", "dropped", "loop"]
    ports: tuple[Port, ...] = ()
    share: float = 1.0


@dataclass(frozen=True)
class _Packet:
    """A packet before it meets a switch's first table.

    Attributes:
        met: switches that it has met, and the address that it had there: it circles if it meets
            one again unchanged. A packet that is turned back at a dead port is changed.
    """

    trace: Trace
    switch: str
    fields: Mapping[str, Value]
    met: frozenset[tuple[str, Value]] = frozenset()


class Tables:
    """The entries of every switch, ready for lookups."""

    def __init__(
        self, wiring: Wiring, entries: Iterable[Entry], dead: Collection[Port] = ()
    ) -> None:
        """Index entries; ``dead`` ports are passed over by groups and swallow what they get."""
        self._wiring, self._dead = wiring, frozenset(dead)
        self._groups: dict[tuple[int, int], Group] = {}
        self._rules: dict[tuple[int, int, Value | None], list[Rule]] = {}
        for entry in entries:
            if isinstance(entry, Group):
                self._groups[entry.dpid, entry.number] = entry
            elif isinstance(entry, Rule):
                target = dict(entry.match).get("ipv4_dst")
                self._rules.setdefault((entry.dpid, entry.table, target), []).append(entry)

    def lookup(self, dpid: int, table: int, fields: Mapping[str, Value]) -> Rule | None:
        """Return the rule that a packet meets in a table of a switch."""
        address = fields.get("ipv4_dst")
        targets = [None, address, *dict.fromkeys(self._wiring.networks.values())]
        rules = (rule for target in targets for rule in self._rules.get((dpid, table, target), ()))
        fitting = (rule for rule in rules if matches(rule, fields))
        return max(fitting, key=lambda rule: rule.priority, default=None)

    def traces(self, source: str, target: str, **marks: Value) -> list[Trace]:
        """Return every way that packets from one host to another may take; names of hosts.

        ``marks`` are further fields of the packet, such as ``ip_dscp``.
        """
        hosts = {host.name: host for host in self._wiring.graph.hosts}
        fields: dict[str, Value] = {
            "eth_type": ETH_IPV4,
            "eth_dst": hosts[target].mac,
            "ipv4_src": hosts[source].ip,
            "ipv4_dst": hosts[target].ip,
            **marks,
        }
        switch, fields["in_port"] = self._wiring.access[source]
        found: list[Trace] = []
        under_way = [_Packet(Trace((source,), "dropped"), switch, fields)]
        while under_way:
            packet = under_way.pop()
            nodes = (*packet.trace.nodes, packet.switch)
            here = packet.switch, packet.fields["eth_dst"]
            if here in packet.met:
                found.append(replace(packet.trace, nodes=nodes, outcome="loop"))
                continue
            trace = replace(packet.trace, nodes=nodes)
            for port, share, onward in self.forwarded(packet.switch, packet.fields):
                left = replace(trace, share=trace.share * share)
                far = self._wiring.far.get((packet.switch, port)) if port else None
                if far is None or (packet.switch, port) in self._dead:
                    found.append(left)
                    continue
                left = replace(left, ports=(*left.ports, (packet.switch, port)))
                if far in self._wiring.dpids:
                    in_port = self._wiring.far_port[packet.switch, port]
                    arriving = {**onward, "in_port": in_port}
                    under_way.append(_Packet(left, far, arriving, packet.met | {here}))
                else:
                    arrived = far == target and onward["eth_dst"] == hosts[target].mac
                    outcome: Literal["delivered", "dropped"] = "delivered" if arrived else "dropped"
                    found.append(replace(left, nodes=(*nodes, far), outcome=outcome))
        return sorted(found, key=lambda trace: (-trace.share, trace.nodes))

    def trace(self, source: str, target: str) -> Trace:
        """Return the way that the most flows take, the first by name of several."""
        return self.traces(source, target)[0]

    def forwarded(
        self, switch: str, fields: Mapping[str, Value]
    ) -> Iterator[tuple[int, float, Mapping[str, Value]]]:
        """Yield the ports that a switch may send a packet out of (0: none), share and fields."""
        dpid = self._wiring.dpids[switch]
        table: int | None = ENTRY
        sent = False
        while table is not None:
            rule = self.lookup(dpid, table, fields)
            if rule is None:
                break
            for port, share, onward in self._applied(dpid, rule.actions, fields):
                if port is None:
                    fields = onward
                else:
                    sent = True
                    yield port, share, onward
            table = rule.goto
        if not sent:
            yield 0, 1.0, fields

    def _applied(
        self, dpid: int, actions: Iterable[Action], fields: Mapping[str, Value]
    ) -> Iterator[tuple[int | None, float, Mapping[str, Value]]]:
        """Yield what actions do: ports (None: on to the next table, 0: dropped), share, fields."""
        sent = False
        for action in actions:
            if isinstance(action, SetMac):
                fields = {**fields, "eth_dst": action.mac}
            elif isinstance(action, Output):
                sent = True
                yield _out_port(action, fields["in_port"]), 1.0, fields
            elif isinstance(action, ToGroup):
                sent = True
                for share, chosen in self._chosen(self._groups.get((dpid, action.number))):
                    for port, part, onward in self._applied(dpid, chosen, fields):
                        yield port or 0, share * part, onward
        if not sent:
            yield None, 1.0, fields

    def _chosen(self, group: Group | None) -> Iterator[tuple[float, Iterable[Action]]]:
        """Yield the buckets that a group may take, with their shares."""
        if group is None:
            yield 1.0, (Output(0),)
        elif group.kind == "select":
            total = sum(bucket.weight for bucket in group.buckets)
            for bucket in group.buckets:
                yield bucket.weight / total, bucket.actions
        else:
            name = self._wiring.names[group.dpid]
            live = (b for b in group.buckets if b.watch and (name, b.watch) not in self._dead)
            first = next(live, None)
            yield 1.0, first.actions if first else (Output(0),)


def _out_port(action: Output, in_port: Value) -> int:
    """Return the port that a packet leaves by, 0 if by none: never back but where it is said."""
    if action.port is To.IN_PORT:
        assert isinstance(in_port, int)
        return in_port
    return 0 if action.port in (To.CONTROLLER, in_port) else action.port


def matches(rule: Rule, fields: Mapping[str, Value]) -> bool:
    """Return whether a packet of these fields, by OpenFlow's names, is one of a rule's."""
    return all(_fits(wanted, fields.get(name)) for name, wanted in rule.match)


def _fits(wanted: Value, value: Value | None) -> bool:
    if isinstance(wanted, tuple) and isinstance(value, str):
        address, mask = wanted
        return _number(value) & _number(mask) == _number(address) & _number(mask)
    return wanted == value


@lru_cache(maxsize=65536)
def _number(address: str) -> int:
    if ":" in address:
        return int(address.replace(":", ""), 16)
    return int.from_bytes(bytes(map(int, address.split("."))), "big")
