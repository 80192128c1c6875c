"""Rules: what the switches are told, independent of OpenFlow's encoding. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from controller.errors import PolicyError
from controller.routes import Routes
from controller.wiring import Wiring

ETH_IPV4 = 0x0800
ETH_ARP = 0x0806
ARP_REQUEST = 1

PRIORITY_MISS, PRIORITY_ROUTE, PRIORITY_PROBE, PRIORITY_ARP = 0, 100, 200, 300

_COOKIE = int.from_bytes(b"span", "big") << 32
COOKIE_BASE, COOKIE_ROUTE, COOKIE_PROBE = _COOKIE | 1, _COOKIE | 2, _COOKIE | 3
"""Cookies say in a dump of a switch's table what a rule is for."""


class To(Enum):
    """Where a rule sends packets that is not a port."""

    CONTROLLER = "controller"
    NOWHERE = "nowhere"


@dataclass(frozen=True)
class Match:
    """Packets that a rule is for; None matches anything."""

    eth_type: int | None = None
    ipv4_dst: str | None = None
    arp_op: int | None = None

    def ipv4(self, address: str) -> bool:
        """Return whether an IPv4 packet to this address matches."""
        return self.eth_type in (None, ETH_IPV4) and self.ipv4_dst in (None, address)


Key = tuple[int, int, Match]
"""Datapath id, priority and match: adding a rule replaces the one of the same key."""


@dataclass(frozen=True)
class Rule:
    """One entry of one switch's table."""

    dpid: int
    priority: int
    match: Match
    out: int | To
    cookie: int

    @property
    def key(self) -> Key:
        """Return what identifies the rule to the switch."""
        return self.dpid, self.priority, self.match


Table = Mapping[Key, Rule]


@dataclass(frozen=True)
class Stage:
    """Changes that switches may make in any order; every switch confirms before the next stage."""

    adds: tuple[Rule, ...] = ()
    deletes: tuple[Rule, ...] = ()


def table(rules: Iterable[Rule]) -> dict[Key, Rule]:
    """Return the rules by key."""
    return {rule.key: rule for rule in rules}


def base_rules(wiring: Wiring) -> Iterator[Rule]:
    """Yield what holds under every policy: drop by default, answer ARP, and pin the probers.

    A prober is reached over its own span only, even while that is down, so that it measures it.
    """
    for switch in wiring.graph.switches:
        request = Match(eth_type=ETH_ARP, arp_op=ARP_REQUEST)
        yield Rule(switch.dpid, PRIORITY_MISS, Match(), To.NOWHERE, COOKIE_BASE)
        yield Rule(switch.dpid, PRIORITY_ARP, request, To.CONTROLLER, COOKIE_BASE)
    for span, link in wiring.graph.spans.items():
        ends = ((link.a, link.b, link.b_port), (link.b, link.a, link.a_port))
        for prober, (own, other, span_port) in zip(wiring.graph.probers(span), ends, strict=True):
            match = Match(ETH_IPV4, prober.ip)
            switch_name, port = wiring.access[prober.name]
            assert switch_name == own, "a prober sits on its campus's border switch"
            for name, out in ((own, port), (other, span_port)):
                yield Rule(wiring.dpids[name], PRIORITY_PROBE, match, out, COOKIE_PROBE)


def route_rules(wiring: Wiring, routes: Routes) -> Iterator[Rule]:
    """Yield a rule per switch and worker.

    Raises PolicyError where routes name what does not exist, run in a loop, or end elsewhere than
    at their worker.
    """
    workers = {host.name: host for host in wiring.graph.workers}
    for name, ports in routes.toward.items():
        if name not in workers:
            raise PolicyError(f'routes lead to "{name}", which is not a worker')
        _check_tree(wiring, name, ports)
        match = Match(ETH_IPV4, workers[name].ip)
        for switch, port in ports.items():
            yield Rule(wiring.dpids[switch], PRIORITY_ROUTE, match, port, COOKIE_ROUTE)


def _check_tree(wiring: Wiring, worker: str, ports: Mapping[str, int]) -> None:
    arrives = {worker}
    for start in ports:
        walk: dict[str, None] = {}  # in order
        node = start
        while node not in arrives:
            if node in walk:
                loop = " -> ".join([*walk, node])
                raise PolicyError(f'the route to "{worker}" runs in a loop: {loop}')
            if node not in ports or node not in wiring.dpids:
                raise PolicyError(f'the route from "{start}" to "{worker}" ends at "{node}"')
            walk[node] = None
            if (node, ports[node]) not in wiring.far:
                raise PolicyError(
                    f'the route to "{worker}" uses "{node}" port {ports[node]}, a bare one'
                )
            node = wiring.far[node, ports[node]]
        arrives.update(walk)


def next_stage(wiring: Wiring, old: Table, new: Table) -> Stage | None:
    """Return the next step of turning one rule set into another, or None when there is none.

    A rule is changed only once everything downstream of it follows the new set: a packet then
    takes old rules up to some switch and new ones from there on, so that no order of changes
    within a stage, and no delay between stages, makes a loop or a black hole. Rules that are no
    longer wanted go last, in one stage. ``old`` must be loop-free, and may be a state in between.
    """
    changed = [rule for key, rule in new.items() if old.get(key) != rule]
    settled: dict[Key, bool] = {}
    adds = []
    for rule in changed:
        downstream = _downstream(wiring, new, rule)
        if downstream is None or _settled(wiring, old, new, downstream, settled):
            adds.append(rule)
    if changed:
        assert adds, "the new rules run in a loop"
        return Stage(adds=tuple(adds))
    deletes = tuple(rule for key, rule in old.items() if key not in new)
    return Stage(deletes=deletes) if deletes else None


def diff(wiring: Wiring, old: Table, new: Table) -> Iterator[Stage]:
    """Yield every stage of turning one rule set into another."""
    now = dict(old)
    while stage := next_stage(wiring, now, new):
        yield stage
        now = after(now, stage)


def after(old: Table, stage: Stage) -> dict[Key, Rule]:
    """Return the rules that hold once a stage is confirmed."""
    gone = {rule.key for rule in stage.deletes}
    kept = {key: rule for key, rule in old.items() if key not in gone}
    return kept | table(stage.adds)


def _downstream(wiring: Wiring, rules: Table, rule: Rule) -> Rule | None:
    """Return the rule that a packet meets after this one."""
    if isinstance(rule.out, To):
        return None
    far = wiring.far.get((wiring.names[rule.dpid], rule.out), "")
    return rules.get((wiring.dpids.get(far, -1), rule.priority, rule.match))


def _settled(wiring: Wiring, old: Table, new: Table, start: Rule, known: dict[Key, bool]) -> bool:
    """Return whether this rule and all downstream of it are already as wanted."""
    walk: list[Key] = []
    rule: Rule | None = start
    result = True
    while rule is not None:
        if rule.key in known:
            result = known[rule.key]
            break
        walk.append(rule.key)
        if old.get(rule.key) != rule:
            result = False
            break
        rule = _downstream(wiring, new, rule)
    known.update(dict.fromkeys(walk, result))
    return result
