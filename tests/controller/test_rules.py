"""Rules and their diffs: no moment of an update loses or circles a packet."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import PolicyError
from controller.policies.shortest_delay import shortest_delay
from controller.routes import Routes
from controller.rules import (
    Key,
    Rule,
    after,
    base_rules,
    diff,
    next_stage,
    route_rules,
    table,
)
from controller.trace import Tables, Trace
from controller.wiring import Wiring
from topologies.graph import Graph, build_graph
from topologies.linkstate import LinkState
from topologies.spec import NetworkSpec

FABRICS = [
    {"kind": "star"},
    {"kind": "leaf-spine"},
    {"kind": "ring", "leaves": 5},
    {"kind": "torus", "leaves": 3, "spines": 3},
]


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """Draw up to four campuses, joined in a line and by some more spans."""
    names = ["a", "b", "c", "d"][: draw(st.integers(2, 4))]
    campuses = {
        name: {"workers": draw(st.integers(1, 3)), "fabric": draw(st.sampled_from(FABRICS))}
        for name in names
    }
    pairs = list(itertools.pairwise(names))
    every = [(x, y) for i, x in enumerate(names) for y in names[i + 1 :]]
    pairs += draw(st.lists(st.sampled_from(every), max_size=4))
    span = {"rate": "1 Gbit/s", "delay": "1 ms"}
    spans = {f"s{i}": {**span, "between": pair} for i, pair in enumerate(pairs)}
    return build_graph(NetworkSpec.model_validate({"campuses": campuses, "spans": spans}))


def link_states(graph: Graph) -> st.SearchStrategy[dict[str, LinkState]]:
    state = st.builds(
        LinkState, st.just(10**9), st.integers(0, 5).map(lambda ms: ms * 10**6), up=st.booleans()
    )
    return st.fixed_dictionaries(dict.fromkeys(graph.spans, state))


def rules(wiring: Wiring, links: dict[str, LinkState]) -> dict[Key, Rule]:
    routes = shortest_delay(wiring.graph, links)
    return table([*base_rules(wiring), *route_rules(wiring, routes)])


def traces(wiring: Wiring, held: Iterable[Rule]) -> dict[tuple[str, str], Trace]:
    tables = Tables(wiring, held)
    workers = [host.name for host in wiring.graph.workers]
    pairs = [(a, b) for a in workers for b in workers if a != b]
    for span in wiring.graph.spans:
        first, second = (prober.name for prober in wiring.graph.probers(span))
        pairs += [(first, second), (second, first)]
    return {pair: tables.trace(*pair) for pair in pairs}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_moment_of_an_update_loses_or_circles_a_packet(data: st.DataObject) -> None:
    wiring = Wiring(data.draw(networks()))
    states = data.draw(st.lists(link_states(wiring.graph), min_size=2, max_size=3))
    now = rules(wiring, states[0])
    for links in states[1:]:
        wanted = rules(wiring, links)
        before, finally_ = traces(wiring, now.values()), traces(wiring, wanted.values())
        interrupted = data.draw(st.booleans())  # by newer link states, as the state object does
        for stage in diff(wiring, now, wanted):
            # Switches apply a stage in any order, each its messages in turn.
            adds = data.draw(st.permutations(stage.adds)) if len(stage.adds) < 50 else stage.adds
            for change in (*adds, *stage.deletes):
                if change in stage.deletes:
                    del now[change.key]
                else:
                    now[change.key] = change
                for pair, trace in traces(wiring, now.values()).items():
                    assert trace.outcome != "loop", pair
                    if before[pair].outcome == finally_[pair].outcome == "delivered":
                        assert trace.outcome == "delivered", pair
            if interrupted:
                break
        else:
            assert now == wanted


def test_a_diff_is_made_of_replacements_first_and_deletions_last(
    graph: Graph, links: dict[str, LinkState]
) -> None:
    wiring = Wiring(graph)
    old = rules(wiring, links)
    links["north-east"] = LinkState(10**9, 0, up=False)
    links["north-south"] = LinkState(10**9, 0, up=False)
    new = rules(wiring, links)
    stages = list(diff(wiring, old, new))
    assert [bool(stage.deletes) for stage in stages] == [False] * (len(stages) - 1) + [True]
    for stage in stages:
        old = after(old, stage)
    assert old == new
    assert next_stage(wiring, old, new) is None


def test_a_worker_address_has_one_rule_on_every_switch(
    graph: Graph, links: dict[str, LinkState]
) -> None:
    held = rules(Wiring(graph), links).values()
    for worker in graph.workers:
        found = [rule.dpid for rule in held if rule.match.ipv4_dst == worker.ip]
        assert sorted(found) == sorted(switch.dpid for switch in graph.switches)


def test_probers_are_pinned_to_their_span_even_when_it_is_down(
    graph: Graph, links: dict[str, LinkState]
) -> None:
    wiring = Wiring(graph)
    for up in (True, False):
        links["north-south"] = LinkState(10**9, 10**7, up=up)
        held = rules(wiring, links)
        trace = traces(wiring, held.values())["north-south-p1", "north-south-p2"]
        assert trace.outcome == "delivered"
        assert trace.nodes == ("north-south-p1", "north-border", "south-border", "north-south-p2")
        for prober in graph.probers("north-south"):
            assert sum(rule.match.ipv4_dst == prober.ip for rule in held.values()) == 2


@pytest.mark.parametrize(
    ("toward", "message"),
    [
        ({"north-w9": {}}, "not a worker"),
        ({"north-south-p1": {}}, "not a worker"),
        ({"north-w1": {"north-leaf1": 99}}, "a bare one"),
        ({"north-w1": {"north-spine1": 1, "north-leaf1": 1}}, "loop"),
        ({"north-w1": {"north-spine1": 1}}, 'ends at "north-leaf1"'),
        ({"north-w1": {"nowhere": 1}}, 'ends at "nowhere"'),
        ({"north-w1": {"east-border": 3}}, "ends at"),
    ],
)
def test_routes_that_do_not_arrive_are_refused(
    graph: Graph, toward: dict[str, dict[str, int]], message: str
) -> None:
    with pytest.raises(PolicyError, match=message):
        list(route_rules(Wiring(graph), Routes(toward)))
