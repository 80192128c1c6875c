"""Traces tell what rules do, also where they do wrong."""

from __future__ import annotations

import pytest

from controller.rules import (
    ETH_IPV4,
    Bucket,
    Entry,
    Group,
    Match,
    Output,
    Rule,
    SetMac,
    To,
    ToGroup,
    match,
)
from controller.trace import Tables
from controller.wiring import Wiring
from topologies.graph import Graph


@pytest.fixture
def wiring(graph: Graph) -> Wiring:
    return Wiring(graph)


class North:
    """From one worker of the north to the other: two leaves, two spines."""

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.to_w2 = match(eth_type=ETH_IPV4, ipv4_dst=wiring.addresses["north-w2"])
        self.up = self.port("north-leaf1", "north-spine1")
        self.up2 = self.port("north-leaf1", "north-spine2")
        self.down = self.port("north-spine1", "north-leaf2")
        self.back = self.port("north-spine1", "north-leaf1")
        self.out = wiring.access["north-w2"][1]

    def port(self, node: str, far: str) -> int:
        ends = self.wiring.far.items()
        return next(port for (name, port), other in ends if (name, other) == (node, far))

    def rule(
        self, switch: str, *ports: int | To, where: Match | None = None, priority: int = 100
    ) -> Rule:
        actions = tuple(map(Output, ports))
        return Rule(self.wiring.dpids[switch], 0, priority, where or self.to_w2, actions)

    def trace(self, *entries: Entry, dead: tuple[str, int] | None = None) -> tuple[list[str], str]:
        tables = Tables(self.wiring, entries, [dead] if dead else [])
        (found,) = tables.traces("north-w1", "north-w2")
        assert found.nodes[0] == "north-w1"
        return list(found.nodes[1:]), found.outcome


@pytest.fixture
def north(wiring: Wiring) -> North:
    return North(wiring)


def test_drops_wrong_hosts_and_ways_back_are_seen(north: North) -> None:
    leaf, spine = "north-leaf1", "north-spine1"
    climb, fall = north.rule(leaf, north.up), north.rule(spine, north.down)
    arrive = north.rule("north-leaf2", north.out)
    assert north.trace() == ([leaf], "dropped")
    assert north.trace(climb) == ([leaf, spine], "dropped")
    way = [leaf, spine, "north-leaf2", "north-w2"]
    assert north.trace(climb, fall, arrive) == (way, "delivered")
    access = north.wiring.access["north-w1"][1]
    assert north.trace(north.rule(leaf, access)) == ([leaf], "dropped"), "never back by itself"
    home = north.rule(leaf, To.IN_PORT)
    assert north.trace(home) == ([leaf, "north-w1"], "dropped")
    assert north.trace(north.rule(leaf, 77)) == ([leaf], "dropped")
    stop = Rule(north.wiring.dpids[leaf], 0, 200, match())
    assert north.trace(climb, fall, arrive, stop) == ([leaf], "dropped")
    arp = north.rule(leaf, To.CONTROLLER, where=match(eth_type=0x0806), priority=300)
    assert north.trace(climb, fall, arrive, arp) == (way, "delivered")
    dead = spine, north.down
    assert north.trace(climb, fall, arrive, dead=dead) == ([leaf, spine], "dropped")


def test_a_circle_is_a_loop_unless_the_packet_is_another_then(north: North) -> None:
    leaf, spine = "north-leaf1", "north-spine1"
    climb = north.rule(leaf, north.up)
    back = north.rule(spine, To.IN_PORT)
    assert north.trace(climb, back) == ([leaf, spine, leaf], "loop")
    labelled = "06:00:00:01:00:01"
    turn = Rule(
        north.wiring.dpids[spine], 0, 100, north.to_w2, (SetMac(labelled), Output(To.IN_PORT))
    )
    mac = north.wiring.hosts[north.wiring.addresses["north-w2"]].mac
    around = Rule(
        north.wiring.dpids[leaf],
        0,
        110,
        match(eth_type=ETH_IPV4, eth_dst=labelled),
        (Output(north.up2),),
    )
    other = north.rule("north-spine2", north.port("north-spine2", "north-leaf2"))
    arrive = Rule(
        north.wiring.dpids["north-leaf2"], 0, 100, north.to_w2, (SetMac(mac), Output(north.out))
    )
    way = [leaf, spine, leaf, "north-spine2", "north-leaf2", "north-w2"]
    assert north.trace(climb, turn, around, other, arrive) == (way, "delivered")


def test_only_the_address_that_a_worker_has_counts_as_arrived(north: North) -> None:
    dpid, access = north.wiring.dpids["north-leaf1"], "02:00:0a:01:00:09"
    climb, fall = north.rule("north-leaf1", north.up), north.rule("north-spine1", north.down)
    actions = SetMac(access), Output(north.out)
    arrive = Rule(north.wiring.dpids["north-leaf2"], 0, 100, north.to_w2, actions)
    nodes, outcome = north.trace(climb, fall, arrive)
    assert (nodes[-1], outcome) == ("north-w2", "dropped")
    assert dpid


def test_groups_share_flows_and_pass_over_dead_ports(north: North) -> None:
    wiring, dpid = north.wiring, north.wiring.dpids["north-leaf1"]
    first, second = north.up, north.up2
    fall2 = north.rule("north-spine2", north.port("north-spine2", "north-leaf2"))
    rest = [
        north.rule("north-spine1", north.down),
        fall2,
        north.rule("north-leaf2", north.out),
        Rule(dpid, 0, 100, north.to_w2, (ToGroup(9),)),
    ]
    share = Bucket((Output(first),), weight=1), Bucket((Output(second),), weight=3)
    traces = Tables(wiring, [*rest, Group(dpid, 9, "select", share)]).traces("north-w1", "north-w2")
    assert [(trace.nodes[2], trace.share) for trace in traces] == [
        ("north-spine2", 0.75),
        ("north-spine1", 0.25),
    ]
    assert traces[0].ports[0] == ("north-leaf1", second)
    spare = (
        Bucket((Output(first),), watch=first),
        Bucket((Output(second),), watch=second),
    )
    for dead, way in (
        ([], "north-spine1"),
        ([first], "north-spine2"),
        ([first, second], None),
    ):
        ends = [("north-leaf1", port) for port in dead]
        tables = Tables(wiring, [*rest, Group(dpid, 9, "failover", spare)], ends)
        (trace,) = tables.traces("north-w1", "north-w2")
        assert trace.outcome == ("delivered" if way else "dropped")
        assert way is None or trace.nodes[2] == way
    (trace,) = Tables(wiring, rest).traces("north-w1", "north-w2")
    assert trace.outcome == "dropped", "no such group"
