"""From routes to entries: what every switch holds under one version. Pure.

A packet meets two tables. The first delivers what is for a worker of its own, and stamps what
enters with the version; the second forwards by that version's rules:

    table 0   LLDP, ARP request   to the controller
              for a prober        over its own span and no other, whatever the policy
              for own worker      its own address back, out of its port
              not stamped         stamp, go on to table 1
              stamped             go on to table 1
    table 1   version, worker or campus              out of a port, or to a group
              the same, from where a detour leads    likewise, but the detour turns back
              version, around a span, campus         out of a port
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from controller.detours import Detours
from controller.errors import PolicyError
from controller.label import (
    COOKIE,
    COOKIE_DELIVER,
    LABELLED,
    UNLABELLED,
    any_detour,
    group_number,
    label,
)
from controller.routes import Hops, Limit, Marks, Routes
from controller.rules import (
    ARP_REQUEST,
    ETH_ARP,
    ETH_IPV4,
    ETH_LLDP,
    Action,
    Bucket,
    Entry,
    Group,
    Meter,
    Output,
    Rule,
    SetMac,
    To,
    ToGroup,
    Value,
    match,
)
from controller.wiring import Wiring
from topologies.linkstate import LinkState

ENTRY, FORWARD = 0, 1
"""The two tables."""

PRIORITY_MISS, PRIORITY_GO_ON, PRIORITY_STAMP = 0, 10, 20
PRIORITY_ROUTE, PRIORITY_LIMIT = 100, 110
PRIORITY_DELIVER, PRIORITY_PROBE, PRIORITY_CONTROL = 200, 300, 400

TCP, UDP = 6, 17
MAX_WEIGHT = 0xFFFF
"""OpenFlow has 16 bits for it."""


def base(wiring: Wiring) -> Iterator[Entry]:
    """Yield what holds under every version, stamps left out."""
    for switch in wiring.graph.switches:
        dpid = switch.dpid
        for control in (match(eth_type=ETH_LLDP), match(eth_type=ETH_ARP, arp_op=ARP_REQUEST)):
            yield Rule(dpid, ENTRY, PRIORITY_CONTROL, control, (Output(To.CONTROLLER),))
        stamped = match(eth_type=ETH_IPV4, eth_dst=LABELLED)
        yield Rule(dpid, ENTRY, PRIORITY_GO_ON, stamped, goto=FORWARD)
        for number in (ENTRY, FORWARD):
            yield Rule(dpid, number, PRIORITY_MISS, match())
    for host in wiring.graph.workers:
        switch_name, port = wiring.access[host.name]
        actions = SetMac(host.mac), Output(port)
        # A rule for each campus that traffic comes from: their counters are the traffic matrix.
        for network in wiring.networks.values():
            own = match(eth_type=ETH_IPV4, ipv4_src=network, ipv4_dst=host.ip)
            yield Rule(
                wiring.dpids[switch_name],
                ENTRY,
                PRIORITY_DELIVER,
                own,
                actions,
                cookie=COOKIE_DELIVER,
            )
    for span in wiring.graph.spans:
        yield from _pins(wiring, span)


def _pins(wiring: Wiring, span: str) -> Iterator[Rule]:
    """Yield what lets a prober be reached over its own span only, even while that is down."""
    here, there = wiring.ends(span)
    for prober, own, other in zip(
        wiring.graph.probers(span), (here, there), (there, here), strict=True
    ):
        switch_name, port = wiring.access[prober.name]
        assert switch_name == own[0], "a prober sits on its campus's border switch"
        for name, out in ((own[0], port), other):
            pinned = match(eth_type=ETH_IPV4, ipv4_dst=prober.ip)
            yield Rule(wiring.dpids[name], ENTRY, PRIORITY_PROBE, pinned, (Output(out),))


def stamps(wiring: Wiring, version: int) -> Iterator[Rule]:
    """Yield what puts every packet that enters under a version: one rule on each edge switch."""
    for name in wiring.edges:
        entering = match(eth_type=ETH_IPV4, eth_dst=UNLABELLED)
        stamp = (SetMac(label(version)),)
        dpid = wiring.dpids[name]
        yield Rule(dpid, ENTRY, PRIORITY_STAMP, entering, stamp, FORWARD, None, COOKIE | version)


def forwarding(
    wiring: Wiring, routes: Routes, links: Mapping[str, LinkState], version: int
) -> list[Entry]:
    """Return the entries that forward by a policy's routes, and around each span that dies.

    Raises PolicyError where routes name what does not exist, run in a loop, or end elsewhere than
    at their worker.
    """
    check(wiring, routes)
    return _Forwarding(wiring, routes, links, version).entries


class _Forwarding:
    """Collects the entries of one version."""

    def __init__(
        self, wiring: Wiring, routes: Routes, links: Mapping[str, LinkState], version: int
    ) -> None:
        self.entries: list[Entry] = []
        self._wiring, self._routes, self._links, self._version = wiring, routes, links, version
        self._detours = Detours(wiring, links)
        self._groups: dict[tuple[str, str, tuple[Bucket, ...]], ToGroup] = {}
        self._meters: dict[tuple[str, tuple[str, ...], Limit], int] = {}
        for switch in wiring.graph.switches:
            for campus, workers in wiring.workers_of.items():
                self._towards(switch.name, campus, workers)
        for (span, campus), ports in self._detours.taken.items():
            around = label(version, wiring.span_numbers[span])
            for name, port in ports.items():
                where: dict[str, Value] = {
                    "eth_dst": around,
                    "ipv4_dst": wiring.networks[campus],
                }
                self._rule(name, PRIORITY_ROUTE, where, (Output(port),))

    def _towards(self, switch: str, campus: str, workers: tuple[str, ...]) -> None:
        """Add a switch's rules to a campus: one where all its workers lie the same way."""
        toward, wiring = self._routes.toward, self._wiring
        ways = {
            worker: hops
            for worker in workers
            if wiring.access[worker][0] != switch and (hops := toward.get(worker, {}).get(switch))
        }
        inside = wiring.campus[switch] == campus
        stamped: Value = any_detour(self._version) if inside else label(self._version)
        if not inside and len(ways) == len(workers) and len(set(ways.values())) == 1:
            where = {"eth_dst": stamped, "ipv4_dst": wiring.networks[campus]}
            self._forward(switch, campus, where, ways[workers[0]])
            return
        for worker, hops in ways.items():
            where = {"eth_dst": stamped, "ipv4_dst": wiring.addresses[worker]}
            self._forward(switch, campus, where, hops)

    def _forward(self, switch: str, campus: str, where: dict[str, Value], hops: Hops) -> None:
        """Add the rule that sends packets on by hops, and those that hold some of them back."""
        self._forward_from(switch, campus, where, hops, None)
        detours = {self._detour(switch, campus, hop.port) for hop in hops}
        for port in sorted(port for port in detours if port is not None):
            self._forward_from(switch, campus, where, hops, port)

    def _forward_from(
        self, switch: str, campus: str, where: dict[str, Value], hops: Hops, port: int | None
    ) -> None:
        """Add the rules for what comes from a port that some detour leads back to; None: any."""
        action = self._hops(switch, campus, hops, port)
        higher = 0
        if port is not None:
            where, higher = where | {"in_port": port}, 1
        self._rule(switch, PRIORITY_ROUTE + higher, where, (action,))
        ends = (self._wiring.span_at.get((switch, hop.port)) for hop in hops)
        spans = tuple(span for span in ends if span)
        for limit in self._routes.limits if spans else ():
            meter = self._meter(switch, spans, limit)
            for marked in matches_of(limit.marks):
                self._rule(switch, PRIORITY_LIMIT + higher, where | marked, (action,), meter)

    def _hops(self, switch: str, campus: str, hops: Hops, in_port: int | None) -> Action:
        """Return the action that sends packets to one of the hops."""
        if len(hops) == 1:
            return self._hop(switch, campus, hops[0].port, in_port)
        ways = tuple(
            Bucket((self._hop(switch, campus, hop.port, in_port),), hop.weight)
            for hop in sorted(hops, key=lambda hop: hop.port)
        )
        return self._group(switch, "select", ways)

    def _hop(self, switch: str, campus: str, port: int, in_port: int | None) -> Action:
        """Return the action that sends packets out of a port, or around its span if that dies."""
        detour = self._detour(switch, campus, port)
        if detour is None:
            return Output(port)
        around = label(self._version, self._wiring.span_numbers[self._wiring.span_at[switch, port]])
        direct = Bucket((Output(port),), watch=port)
        out = Output(To.IN_PORT if detour == in_port else detour)
        return self._group(
            switch, "failover", (direct, Bucket((SetMac(around), out), watch=detour))
        )

    def _detour(self, switch: str, campus: str, port: int) -> int | None:
        """Return the port by which packets go around the span at a port, if there is a way."""
        span = self._wiring.span_at.get((switch, port))
        return self._detours.around(span, switch, campus) if span else None

    def _group(self, switch: str, kind: str, buckets: tuple[Bucket, ...]) -> ToGroup:
        what = switch, kind, buckets
        if what not in self._groups:
            number = group_number(self._version, len(self._groups) + 1)
            dpid = self._wiring.dpids[switch]
            self._groups[what] = ToGroup(number)
            self.entries.append(Group(dpid, number, kind, buckets))  # type: ignore[arg-type]
        return self._groups[what]

    def _meter(self, switch: str, spans: tuple[str, ...], limit: Limit) -> int:
        what = switch, spans, limit
        if what not in self._meters:
            number = self._meters[what] = group_number(self._version, len(self._meters) + 1)
            rate_bps = min(self._links[span].rate_bps for span in spans)
            rate_kbps = max(1, round(limit.share * rate_bps / 1000))
            self.entries.append(Meter(self._wiring.dpids[switch], number, rate_kbps))
        return self._meters[what]

    def _rule(
        self,
        switch: str,
        priority: int,
        where: dict[str, Value],
        actions: tuple[Action, ...],
        meter: int | None = None,
    ) -> None:
        dpid, packets = self._wiring.dpids[switch], match(eth_type=ETH_IPV4, **where)
        self.entries.append(
            Rule(dpid, FORWARD, priority, packets, actions, None, meter, COOKIE | self._version)
        )


def matches_of(marks: Marks) -> Iterator[dict[str, Value]]:
    """Yield what matches marked packets: any of these."""
    if marks.dscp is not None:
        yield {"ip_dscp": marks.dscp}
    for port in marks.ports:
        for protocol, name in ((TCP, "tcp"), (UDP, "udp")):
            for end in ("src", "dst"):
                yield {"ip_proto": protocol, f"{name}_{end}": port}


def check(wiring: Wiring, routes: Routes) -> None:
    """Raise PolicyError unless every hop leads on to its worker."""
    workers = {host.name for host in wiring.graph.workers}
    for worker, ways in routes.toward.items():
        if worker not in workers:
            raise PolicyError(f'routes lead to "{worker}", which is not a worker')
        _check_worker(wiring, worker, ways)


def _check_worker(wiring: Wiring, worker: str, ways: Mapping[str, Hops]) -> None:
    onward: dict[str, set[str]] = {}
    for name, hops in ways.items():
        if name not in wiring.dpids or not hops:
            raise PolicyError(f'the route to "{worker}" ends at "{name}"')
        for hop in hops:
            if not 1 <= hop.weight <= MAX_WEIGHT:
                raise PolicyError(f'the route to "{worker}" has weight {hop.weight} at "{name}"')
            far = wiring.far.get((name, hop.port))
            if far is None:
                raise PolicyError(
                    f'the route to "{worker}" uses "{name}" port {hop.port}, a bare one'
                )
            if far != worker and far not in ways:
                raise PolicyError(f'the route from "{name}" to "{worker}" ends at "{far}"')
            onward.setdefault(name, set()).add(far)
    try:
        TopologicalSorter(onward).prepare()
    except CycleError as error:
        loop = " -> ".join(reversed(error.args[1]))
        raise PolicyError(f'the route to "{worker}" runs in a loop: {loop}') from None
