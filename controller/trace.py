"""Follow a packet through a rule set: what the rules do, not what was meant. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from controller.rules import Rule, To
from controller.wiring import Wiring


@dataclass(frozen=True)
class Trace:
    """The nodes that a packet visits in order, and what becomes of it at the last one."""

    nodes: tuple[str, ...]
    outcome: Literal["delivered", "dropped", "loop"]


class Tables:
    """Rule sets of every switch, ready for lookups."""

    def __init__(self, wiring: Wiring, rules: Iterable[Rule]) -> None:
        """Index the rules; of several that match, a switch takes the one of highest priority."""
        self._wiring = wiring
        self._by_address: dict[tuple[int, str | None], Rule] = {}
        for rule in sorted(rules, key=lambda rule: rule.priority):
            if rule.match.ipv4(rule.match.ipv4_dst or ""):
                self._by_address[rule.dpid, rule.match.ipv4_dst] = rule

    def lookup(self, dpid: int, address: str) -> Rule | None:
        """Return the rule that an IPv4 packet to this address meets at a switch."""
        found = [self._by_address.get((dpid, match)) for match in (address, None)]
        return max((rule for rule in found if rule), key=lambda rule: rule.priority, default=None)

    def trace(self, source: str, target: str) -> Trace:
        """Follow a packet from one host to another, both by name."""
        address = self._wiring.addresses[target]
        node, _ = self._wiring.access[source]
        nodes = [source]
        while node in self._wiring.dpids:
            if node in nodes:
                return Trace((*nodes, node), "loop")
            nodes.append(node)
            rule = self.lookup(self._wiring.dpids[node], address)
            if rule is None or isinstance(rule.out, To):
                return Trace(tuple(nodes), "dropped")
            node = self._wiring.far.get((node, rule.out), "")
        if node:
            nodes.append(node)
        return Trace(tuple(nodes), "delivered" if node == target else "dropped")
