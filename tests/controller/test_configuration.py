"""From routes to entries: who gets where, what is refused, and how much it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from controller.configuration import check, forwarding
from controller.errors import PolicyError
from controller.label import label
from controller.routes import Hop, Limit, Marks, Routes
from controller.rules import Entry, Group, Meter, Output, Rule, ToGroup, table
from controller.trace import Tables
from controller.wiring import Wiring
from tests.controller.networks import Configuration
from topologies.graph import Graph
from topologies.linkstate import LinkState

Links = dict[str, LinkState]


def port(wiring: Wiring, node: str, far: str) -> int:
    """Return the port of a node that leads to another."""
    return next(p for (name, p), other in wiring.far.items() if (name, other) == (node, far))


def shortest(graph: Graph, links: Links) -> Configuration:
    return Configuration(Wiring(graph), "shortest-delay", links)


def test_traffic_to_a_campus_takes_one_rule_where_all_of_it_goes_one_way(
    graph: Graph, links: Links
) -> None:
    wiring = Wiring(graph)
    rules = [
        entry
        for entry in shortest(graph, links).entries(1)
        if isinstance(entry, Rule) and dict(entry.match).get("eth_dst") == label(1)
    ]
    assert rules
    for rule in rules:
        assert dict(rule.match)["ipv4_dst"] in [*wiring.networks.values()]
        assert wiring.campus[wiring.names[rule.dpid]] not in [
            campus
            for campus, network in wiring.networks.items()
            if network == dict(rule.match)["ipv4_dst"]
        ]


@pytest.mark.parametrize("up", [True, False])
def test_probers_are_pinned_to_their_span_even_when_it_is_down(
    graph: Graph, links: Links, up: bool
) -> None:
    wiring = Wiring(graph)
    links["north-south"] = LinkState(10**9, 10**7, up=up)
    tables = Tables(wiring, shortest(graph, links).in_force(1))
    for ends in (("p1", "p2"), ("p2", "p1")):
        source, target = (f"north-south-{end}" for end in ends)
        (trace,) = tables.traces(source, target)
        assert trace.outcome == "delivered"
        assert [node for node in trace.nodes if node in wiring.dpids] == [
            wiring.access[source][0],
            wiring.access[target][0],
        ]


def test_nothing_reaches_a_worker_that_no_route_leads_to(graph: Graph, links: Links) -> None:
    links = {span: LinkState(10**9, 0, up=False) for span in links}
    tables = Tables(Wiring(graph), shortest(graph, links).in_force(1))
    assert tables.trace("north-w1", "south-w1").outcome == "dropped"
    assert tables.trace("north-w1", "north-w2").outcome == "delivered"


def test_a_way_around_a_dead_span_may_lead_back_through_the_port_it_came_from(
    graph: Graph, links: Links
) -> None:
    wiring = Wiring(graph)
    entries = shortest(graph, links).in_force(1)
    usual = Tables(wiring, entries).trace("north-w1", "south-w1")
    assert "east-border" in usual.nodes
    tables = Tables(wiring, entries, dead=wiring.ends("south-east"))
    (around,) = tables.traces("north-w1", "south-w1")
    assert around.outcome == "delivered"
    borders = [node for node in around.nodes if node.endswith("border")]
    assert borders == ["north-border", "east-border", "north-border", "south-border"]


def test_the_same_routes_give_the_same_entries_under_another_number(
    graph: Graph, links: Links
) -> None:
    configuration = shortest(graph, links)
    assert configuration.entries(1) == shortest(graph, links).entries(1)
    one, two = (table(configuration.entries(version)) for version in (1, 2))
    assert len(one) == len(two)
    assert not one.keys() & two.keys()


def shared(wiring: Wiring) -> Routes:
    """Return routes from north to south that go both ways around, one to three."""
    border, direct = "north-border", wiring.ends("north-south")[0][1]
    over_east = wiring.ends("north-east")[0][1]
    toward: dict[str, Mapping[str, tuple[Hop, ...]]] = {}
    for worker in wiring.workers_of["south"]:
        switch, access = wiring.access[worker]
        ways = {
            border: (Hop(direct, 1), Hop(over_east, 3)),
            "east-border": (Hop(port(wiring, "east-border", "south-border")),),
            switch: (Hop(access),),
        }
        if switch != "south-border":
            ways["south-border"] = (Hop(port(wiring, "south-border", switch)),)
        toward[worker] = ways
    return Routes(toward)


def test_shares_become_the_weights_of_a_group(graph: Graph, links: Links) -> None:
    wiring = Wiring(graph)
    entries = forwarding(wiring, shared(wiring), links, 5)
    groups = [e for e in entries if isinstance(e, Group) and e.kind == "select"]
    assert len(groups) == 3, "and one for what comes from each of the two spans"
    for group in groups:
        assert sorted(bucket.weight for bucket in group.buckets) == [1, 3]
        assert group.number >> 16 == 5
        for bucket in group.buckets:
            (inner,) = bucket.actions
            assert isinstance(inner, ToGroup), "each of them goes around its span if that dies"


def test_limits_hold_back_marked_packets_where_they_leave_a_campus(
    graph: Graph, links: Links
) -> None:
    wiring = Wiring(graph)
    links["north-south"] = LinkState(10**8, 0)
    limits = Limit(Marks(dscp=8), 0.25), Limit(Marks(ports=(5201,)), 0.5)
    routes = Routes(shared(wiring).toward, limits)
    entries = forwarding(wiring, routes, links, 1)
    meters = {entry.number: entry for entry in entries if isinstance(entry, Meter)}
    # Of the slowest of the spans that a switch shares them over.
    north = wiring.dpids["north-border"]
    assert {m.rate_kbps for m in meters.values() if m.dpid == north} == {25_000, 50_000}
    rules = [e for e in entries if isinstance(e, Rule) and e.meter and e.dpid == north]
    marked = [{n: v for n, v in r.match if n.startswith(("ip_", "tcp", "udp"))} for r in rules]
    assert {"ip_dscp": 8} in marked
    for protocol, name in ((6, "tcp"), (17, "udp")):
        for end in ("src", "dst"):
            assert {"ip_proto": protocol, f"{name}_{end}": 5201} in marked
    plain = {rule.actions for rule in entries if isinstance(rule, Rule) and not rule.meter}
    assert all(rule.actions in plain for rule in rules), "they take no other way for it"
    inside = [e for e in entries if isinstance(e, Rule) and e.meter and e.dpid != north]
    assert {wiring.names[rule.dpid] for rule in inside} == {"east-border"}


def test_what_a_version_makes_is_in_proportion_to_switches_and_campuses(
    graph: Graph, links: Links
) -> None:
    entries = shortest(graph, links).entries(1)
    counted: dict[int, list[Entry]] = {}
    for entry in entries:
        counted.setdefault(entry.dpid, []).append(entry)
    most = max(len(held) for held in counted.values())
    assert most < 4 * len(graph.spans) * len(Wiring(graph).networks)


@pytest.mark.parametrize(
    ("worker", "ways", "message"),
    [
        ("north-w9", {}, 'lead to "north-w9", which is not a worker'),
        ("north-south-p1", {}, "not a worker"),
        ("north-w1", {"north-leaf1": (Hop(99),)}, '"north-leaf1" port 99, a bare one'),
        ("north-w1", {"north-spine1": (Hop(1),), "north-leaf1": (Hop(1),)}, "in a loop"),
        ("north-w1", {"north-spine1": (Hop(1),)}, 'ends at "north-leaf1"'),
        ("north-w1", {"nowhere": (Hop(1),)}, 'ends at "nowhere"'),
        ("north-w1", {"north-leaf1": ()}, 'ends at "north-leaf1"'),
        ("north-w1", {"east-border": (Hop(3),)}, "ends at"),
        ("north-w1", {"north-leaf1": (Hop(1, 0),)}, "weight 0"),
        ("north-w1", {"north-leaf1": (Hop(1, 65536),)}, "weight 65536"),
    ],
)
def test_routes_that_do_not_arrive_are_refused(
    graph: Graph, worker: str, ways: dict[str, tuple[Hop, ...]], message: str
) -> None:
    with pytest.raises(PolicyError, match=message):
        check(Wiring(graph), Routes({worker: ways}))


@pytest.mark.parametrize(
    ("marks", "share", "message"),
    [
        ({"dscp": 64}, 0.5, "dscp"),
        ({"dscp": -1}, 0.5, "dscp"),
        ({"ports": (0,)}, 0.5, "port"),
        ({"ports": (80, 65536)}, 0.5, "port"),
        ({}, 0.5, "marks"),
        ({"dscp": 1}, 0.0, "share"),
        ({"dscp": 1}, 1.5, "share"),
    ],
)
def test_limits_that_no_switch_could_keep_cannot_be_stated(
    marks: dict[str, Any], share: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Limit(Marks(**marks), share)


def test_a_rule_sends_packets_out_of_ports_only(graph: Graph, links: Links) -> None:
    wiring = Wiring(graph)
    for entry in shortest(graph, links).in_force(1):
        if isinstance(entry, Rule):
            for action in entry.actions:
                if isinstance(action, Output) and isinstance(action.port, int):
                    assert (wiring.names[entry.dpid], action.port) in wiring.far
