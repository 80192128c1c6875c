"""Policies: pure, deterministic, found by file name, and right where it can be checked by hand."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from controller import fairness, policies
from controller.errors import PolicyError
from controller.paths import Network
from controller.policies import max_min_te as te
from controller.policies.loss_aware import bucket_ns
from controller.policies.widest_path import widths
from controller.routes import Demand, Hops, Marks, Routes
from topologies.graph import Graph, Host, Link, Switch, build_graph
from topologies.linkstate import LinkState, Loss
from topologies.spec import NetworkSpec

G, MS = 10**9, 10**6
FABRICS = [
    {"kind": "star"},
    {"kind": "leaf-spine"},
    {"kind": "ring", "leaves": 5},
    {"kind": "torus", "leaves": 3, "spines": 3},
]
SPAN = {"rate": "1 Gbit/s", "delay": "1 ms"}
DOC = Path(__file__).parents[2] / "docs" / "policies.md"


def network_of(*spans: tuple[str, str, str], **fabrics: dict[str, Any]) -> Graph:
    """Build campuses of one worker on one switch, unless told otherwise, joined by spans."""
    names = sorted({campus for _, *ends in spans for campus in ends})
    campuses = {it: {"workers": 1, "fabric": fabrics.get(it, {"kind": "star"})} for it in names}
    joined = {name: {**SPAN, "between": [a, b]} for name, a, b in spans}
    return build_graph(NetworkSpec.model_validate({"campuses": campuses, "spans": joined}))


def route(name: str, graph: Graph, links: Mapping[str, LinkState], *demands: Demand) -> Routes:
    return policies.load(name)(graph, links, demands)


def parts(graph: Graph, hops: Hops, switch: str) -> dict[str, int]:
    """Return the weight of each span, or of each switch of the same campus, that hops lead over."""
    ends = {(near, port): link.span or far for near, port, far, link in graph.half_links()}
    return {ends[switch, hop.port]: hop.weight for hop in hops}


def spans_to(graph: Graph, routes: Routes, source: str, worker: str) -> list[str]:
    """Return the spans that lead from a campus's border to a worker, where there is one way."""
    here = f"{source}-border"
    crossed: list[str] = []
    while True:
        (hop,) = routes.toward[worker][here]
        _, _, here, link = next(it for it in graph.half_links() if it[:2] == (here, hop.port))
        if link.kind == "access":
            return crossed
        if link.span:
            crossed.append(link.span)


TRIANGLE = network_of(("ab", "a", "b"), ("bc", "b", "c"), ("ac", "a", "c"))
LINE = network_of(("ab", "a", "b"), ("bc", "b", "c"))
PARALLEL = network_of(("x", "a", "b"), ("y", "a", "b"))


# Finding policies.


def test_every_policy_is_listed_with_a_sentence() -> None:
    sentences = policies.descriptions()
    assert list(sentences) == sorted(sentences)
    assert set(sentences) >= {"shortest-delay", "max-min-te"}
    for name, sentence in sentences.items():
        assert sentence.endswith("."), name


def test_an_unknown_policy_is_answered_with_those_there_are() -> None:
    with pytest.raises(PolicyError, match='did you mean "shortest-delay"'):
        policies.load("shortest-dealy")


# What holds for all of them.


@st.composite
def campuses(draw: st.DrawFn) -> Graph:
    """Draw up to four campuses, joined in a line and by some more spans."""
    names = ["a", "b", "c", "d"][: draw(st.integers(2, 4))]
    pairs = list(pairwise(names))
    every = list(itertools.combinations(names, 2))
    pairs += draw(st.lists(st.sampled_from(every), max_size=4))
    spec = {
        "campuses": {
            name: {"workers": draw(st.integers(1, 3)), "fabric": draw(st.sampled_from(FABRICS))}
            for name in names
        },
        "spans": {f"s{i}": {**SPAN, "between": pair} for i, pair in enumerate(pairs)},
    }
    return build_graph(NetworkSpec.model_validate(spec))


@st.composite
def meshes(draw: st.DrawFn) -> Graph:
    """Draw switches joined by spans and fabric in any way: several borders, parts cut off."""
    size = draw(st.integers(1, 8))
    switches = [Switch(f"s{i}", f"c{draw(st.integers(0, 3))}", i + 1) for i in range(size)]
    ports: dict[str, int] = defaultdict(int)
    hosts, links = [], []

    def port(switch: Switch) -> int:
        ports[switch.name] += 1
        return ports[switch.name]

    for number in range(draw(st.integers(1, 4))):
        switch = draw(st.sampled_from(switches))
        hosts.append(Host(f"w{number}", switch.campus, f"10.0.0.{number}", ""))
        links.append(Link("access", f"w{number}", 0, switch.name, port(switch), 0))
    pairs = list(itertools.combinations(switches, 2))
    cables = st.lists(st.tuples(st.sampled_from(pairs), st.booleans()), max_size=14)
    for number, ((a, b), span) in enumerate(draw(cables) if pairs else []):
        ends = a.name, port(a), b.name, port(b)
        links.append(Link("span", *ends, 0, f"s{number}") if span else Link("fabric", *ends, 2000))
    return Graph(tuple(hosts), tuple(switches), tuple(links))


def states(graph: Graph) -> st.SearchStrategy[dict[str, LinkState]]:
    state = st.builds(
        LinkState,
        st.sampled_from([10**6, G, 3 * G, 400 * G]),
        st.integers(0, 5).map(lambda ms: ms * MS),
        st.sampled_from([0.0, 1e-5, 0.01, 1.0]).map(Loss),
        up=st.sampled_from([True, True, True, False]),
    )
    return st.fixed_dictionaries(dict.fromkeys(graph.spans, state))


@st.composite
def wishes(draw: st.DrawFn, graph: Graph) -> list[Demand]:
    """Draw demands of which some name spans, on a walk that passes no campus twice."""
    homes = sorted({worker.campus for worker in graph.workers})
    found = []
    for _ in range(draw(st.integers(0, 4)) if len(homes) > 1 else 0):
        source, target = draw(st.permutations(homes))[:2]
        rate_bps = draw(st.sampled_from([None, 1, 10**6, 2 * G, 10**13]))
        marks = draw(st.sampled_from([None, Marks(8), Marks(ports=(873,))]))
        found.append(Demand(source, target, rate_bps, marks=marks))
    for _ in range(draw(st.integers(0, 2)) if len(homes) > 1 else 0):
        source, target = draw(st.permutations(homes))[:2]
        ends: Any = nx.MultiGraph()
        for span, link in graph.spans.items():
            ends.add_edge(link.a, link.b, span)
        borders = f"{source}-border", f"{target}-border"
        if set(borders) <= set(ends):
            ways = sorted(nx.all_simple_edge_paths(ends, *borders))
            over = tuple(edge[2] for edge in draw(st.sampled_from(ways)))
            found.append(Demand(source, target, over=over))
    return found


def reached(graph: Graph, links: Mapping[str, LinkState], worker: str) -> set[str]:
    """Return the switches that are connected with a worker."""
    cables = nx.Graph(
        (link.a, link.b) for link in graph.links if not link.span or links[link.span].up
    )
    names = {switch.name for switch in graph.switches}
    return set(nx.node_connected_component(cables, worker)) & names


def check(graph: Graph, links: Mapping[str, LinkState], routes: Routes) -> None:
    ends = {(near, port): (far, link) for near, port, far, link in graph.half_links()}
    access = {link.a: link.b for link in graph.links if link.kind == "access"}
    assert set(routes.toward) == {worker.name for worker in graph.workers}
    for worker, ways in routes.toward.items():
        assert set(ways) == reached(graph, links, worker)
        onward: dict[str, set[str]] = {}
        for switch, hops in ways.items():
            assert hops
            assert len({hop.port for hop in hops}) == len(hops)
            for hop in hops:
                far, link = ends[switch, hop.port]
                assert hop.weight >= 1
                assert not link.span or links[link.span].up
                assert far in ways or (far == worker and access[worker] == switch)
                onward.setdefault(switch, set()).add(far)
        TopologicalSorter(onward).prepare()  # raises CycleError
    for limit in routes.limits:
        assert 0 < limit.share <= 1


@pytest.mark.parametrize("name", policies.names())
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_all_workers_that_can_be_are_reached_without_loops(name: str, data: st.DataObject) -> None:
    graph = data.draw(st.one_of(campuses(), meshes()))
    links = data.draw(states(graph))
    demands = data.draw(wishes(graph))
    try:
        routes = route(name, graph, links, *demands)
    except PolicyError as error:
        assert name == "static" and "part at" in str(error)
        return  # wishes that contradict each other
    check(graph, links, routes)
    shuffled = list(graph.links)
    random.Random(0).shuffle(shuffled)
    backwards = Graph(graph.hosts, graph.switches[::-1], tuple(shuffled))
    assert route(name, backwards, dict(reversed(links.items())), *demands) == routes


@pytest.mark.parametrize("name", policies.names())
def test_a_network_that_is_cut_in_two_is_still_routed_in_both_parts(name: str) -> None:
    links = {"ab": LinkState(G, MS), "bc": LinkState(G, MS, up=False)}
    routes = route(name, LINE, links, Demand("a", "c"), Demand("a", "b"))
    check(LINE, links, routes)
    assert set(routes.toward["c-w1"]) == {"c-border"}


@pytest.mark.parametrize("name", policies.names())
def test_a_single_campus_needs_no_spans(name: str) -> None:
    spec = {"campuses": {"a": {"workers": 3}}, "spans": {}}
    graph = build_graph(NetworkSpec.model_validate(spec))
    check(graph, {}, route(name, graph, {}))


# shortest-delay


def test_delay_decides_not_the_number_of_spans(graph: Graph, links: dict[str, LinkState]) -> None:
    routes = route("shortest-delay", graph, links)
    assert spans_to(graph, routes, "north", "south-w1") == ["north-east", "south-east"]
    links["north-south"] = replace(links["north-south"], delay_ns=4 * MS)
    routes = route("shortest-delay", graph, links)
    assert spans_to(graph, routes, "north", "south-w1") == ["north-south"]


def test_ties_go_to_fewer_hops_then_to_names(graph: Graph, links: dict[str, LinkState]) -> None:
    links["north-south"] = replace(links["north-south"], delay_ns=5 * MS)
    routes = route("shortest-delay", graph, links)
    # Equal delay over one span or two.
    assert spans_to(graph, routes, "north", "south-w1") == ["north-south"]
    leaf = routes.toward["south-w1"]["north-leaf1"]
    assert parts(graph, leaf, "north-leaf1") == {"north-spine1": 1}  # not spine2, as near
    far = routes.toward["south-w2"]["south-border"]
    assert parts(graph, far, "south-border") == {"south-ring2": 1}


def test_equal_parallel_spans_are_told_apart_by_name() -> None:
    links = {"x": LinkState(G, MS), "y": LinkState(G, MS)}
    assert spans_to(PARALLEL, route("shortest-delay", PARALLEL, links), "a", "b-w1") == ["x"]
    links["x"] = replace(links["x"], up=False)
    assert spans_to(PARALLEL, route("shortest-delay", PARALLEL, links), "a", "b-w1") == ["y"]


# widest-path


def test_the_widest_way_goes_round_a_slow_span() -> None:
    links = {"ab": LinkState(10 * G, MS), "bc": LinkState(40 * G, MS), "ac": LinkState(100 * G, MS)}
    routes = route("widest-path", TRIANGLE, links)
    assert spans_to(TRIANGLE, routes, "a", "b-w1") == ["ac", "bc"]
    assert spans_to(TRIANGLE, routes, "a", "c-w1") == ["ac"]
    links["ab"] = replace(links["ab"], rate_bps=40 * G)  # now as wide, and nearer
    assert spans_to(TRIANGLE, route("widest-path", TRIANGLE, links), "a", "b-w1") == ["ab"]


def test_a_switch_further_on_keeps_to_its_own_widest_way() -> None:
    """From a, the quick span beyond b would be as wide as any way; but b uses the wide one."""
    graph = network_of(("ab", "a", "b"), ("quick", "b", "c"), ("wide", "b", "c"), ("ac", "a", "c"))
    links = {
        "ab": LinkState(10 * G, MS),
        "quick": LinkState(10 * G, MS),
        "wide": LinkState(100 * G, 5 * MS),
        "ac": LinkState(10 * G, 4 * MS),
    }
    routes = route("widest-path", graph, links)
    assert spans_to(graph, routes, "b", "c-w1") == ["wide"]
    assert spans_to(graph, routes, "a", "c-w1") == ["ac"]  # 4 ms, not 1 + 5


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_way_is_wider_than_the_widest(data: st.DataObject) -> None:
    graph = data.draw(st.one_of(campuses(), meshes()))
    links = data.draw(states(graph))
    network, routes = Network(graph, links), route("widest-path", graph, links)
    rates: nx.Graph[int] = nx.Graph()
    arcs = zip(network.near.tolist(), network.far.tolist(), network.rate_bps, strict=True)
    for near, far, rate_bps in arcs:
        least = rates.get_edge_data(near, far, {"weight": np.inf})["weight"]
        rates.add_edge(near, far, weight=min(least, -rate_bps))
    tree = nx.minimum_spanning_tree(rates)  # any two of its ways are the widest
    width = widths(network)
    for worker, (root, _) in network.access.items():
        for switch, start in network.place.items():
            if start == root or switch not in routes.toward[worker]:
                continue
            steps = pairwise(nx.shortest_path(tree, start, root))
            wanted = min(-tree.edges[step]["weight"] for step in steps)
            assert width[start, root] == wanted
            found, here = np.inf, start
            while here != root:
                (hop,) = routes.toward[worker][network.switches[here]]
                (arc,) = (
                    arc
                    for arc in np.flatnonzero(network.near == here)
                    if network.port[arc] == hop.port
                )
                found, here = min(found, network.rate_bps[arc]), int(network.far[arc])
            assert found == wanted


# ecmp and wcmp


def test_flows_are_shared_among_spans_that_are_nearly_as_long() -> None:
    links = {"x": LinkState(G, 1_000_000), "y": LinkState(G, 1_100_000)}
    hops = route("ecmp", PARALLEL, links).toward["b-w1"]["a-border"]
    assert parts(PARALLEL, hops, "a-border") == {"x": 1, "y": 1}
    links["y"] = LinkState(G, 1_100_001)  # more than a tenth longer
    hops = route("ecmp", PARALLEL, links).toward["b-w1"]["a-border"]
    assert parts(PARALLEL, hops, "a-border") == {"x": 1}


def test_flows_are_shared_among_the_spines(graph: Graph, links: dict[str, LinkState]) -> None:
    toward = route("ecmp", graph, links).toward
    for worker in ("south-w1", "north-w2"):
        hops = toward[worker]["north-leaf1"]
        assert parts(graph, hops, "north-leaf1") == {"north-spine1": 1, "north-spine2": 1}


def test_a_way_over_more_spans_is_not_equal() -> None:
    links = {"ab": LinkState(G, 2 * MS), "bc": LinkState(G, MS), "ac": LinkState(G, MS)}
    links["ab"] = replace(links["ab"], delay_ns=2 * MS)
    hops = route("ecmp", TRIANGLE, links).toward["b-w1"]["a-border"]
    assert parts(TRIANGLE, hops, "a-border") == {"ab": 1}


def test_shares_follow_the_rates() -> None:
    links = {"x": LinkState(400 * G, MS), "y": LinkState(100 * G, MS)}
    hops = route("wcmp", PARALLEL, links).toward["b-w1"]["a-border"]
    assert parts(PARALLEL, hops, "a-border") == {"x": 4, "y": 1}
    links["y"] = LinkState(4 * G, MS)  # less than half a part of 16
    hops = route("wcmp", PARALLEL, links).toward["b-w1"]["a-border"]
    assert parts(PARALLEL, hops, "a-border") == {"x": 1}


def test_shares_follow_what_comes_after() -> None:
    """Over b 10 Gbit/s get through; over c 20, which are the two spans on from there."""
    graph = network_of(
        ("ab", "a", "b"),
        ("ac", "a", "c"),
        ("bd", "b", "d"),
        ("cd1", "c", "d"),
        ("cd2", "c", "d"),
    )
    links = {span: LinkState(10 * G, MS) for span in graph.spans} | {"ac": LinkState(100 * G, MS)}
    toward = route("wcmp", graph, links).toward["d-w1"]
    assert parts(graph, toward["a-border"], "a-border") == {"ab": 1, "ac": 2}
    assert parts(graph, toward["c-border"], "c-border") == {"cd1": 1, "cd2": 1}


# loss-aware


def test_what_a_bucket_costs() -> None:
    assert bucket_ns(LinkState(G, MS)) == 8 * MS  # 8 Mbit at 1 Gbit/s
    # 1 % lost: sqrt(1.5 / 0.01) = 12.25 segments of 8948 B per 2 ms are 438 Mbit/s, less 1 %.
    assert bucket_ns(LinkState(G, MS, Loss(0.01))) == pytest.approx(18.43 * MS, rel=1e-3)
    # 0.01 % lost: 4.4 Gbit/s, more than the span has.
    assert bucket_ns(LinkState(G, MS, Loss(1e-4))) == pytest.approx(8 * MS, rel=2e-4)
    assert bucket_ns(LinkState(G, MS, Loss(1.0))) == 8_000 * 10**9  # at 1 kbit/s


@pytest.mark.parametrize(
    ("loss", "spans"),
    [
        (0.005, ["ab"]),  # 13 + 1 ms, less than 2 x (8 + 1)
        (0.01, ["ac", "bc"]),  # 18.4 + 1 ms
    ],
)
def test_a_detour_is_worth_it_when_losses_cost_more(loss: float, spans: list[str]) -> None:
    links = {span: LinkState(G, MS) for span in TRIANGLE.spans}
    links["ab"] = LinkState(G, MS, Loss(loss))
    assert spans_to(TRIANGLE, route("loss-aware", TRIANGLE, links), "a", "b-w1") == spans


# static


def test_demands_go_over_the_spans_that_they_name() -> None:
    links = {span: LinkState(G, MS) for span in TRIANGLE.spans}
    routes = route("static", TRIANGLE, links, Demand("a", "b", over=("ac", "bc")))
    assert spans_to(TRIANGLE, routes, "a", "b-w1") == ["ac", "bc"]
    assert spans_to(TRIANGLE, routes, "b", "a-w1") == ["ab"]  # the way back is another demand
    assert spans_to(TRIANGLE, routes, "a", "c-w1") == ["ac"]


def test_one_of_parallel_spans_can_be_named() -> None:
    links = {"x": LinkState(G, MS), "y": LinkState(G, MS)}
    routes = route("static", PARALLEL, links, Demand("a", "b", over=("y",)))
    assert spans_to(PARALLEL, routes, "a", "b-w1") == ["y"]
    assert spans_to(PARALLEL, routes, "b", "a-w1") == ["x"]


def test_a_demand_whose_span_is_down_goes_the_way_of_least_delay() -> None:
    links = {span: LinkState(G, MS) for span in TRIANGLE.spans}
    links["bc"] = replace(links["bc"], up=False)
    routes = route("static", TRIANGLE, links, Demand("a", "b", over=("ac", "bc")))
    assert spans_to(TRIANGLE, routes, "a", "b-w1") == ["ab"]


def test_every_switch_of_the_campuses_on_the_way_follows(
    graph: Graph, links: dict[str, LinkState]
) -> None:
    routes = route("static", graph, links, Demand("south", "north", over=("north-south",)))
    check(graph, links, routes)
    for worker in ("north-w1", "north-w2"):
        (hop,) = routes.toward[worker]["south-border"]
        assert hop.port == graph.spans["north-south"].b_port
        far = routes.toward[worker]["south-ring3"]
        assert parts(graph, far, "south-ring3") == {"south-ring2": 1}


@pytest.mark.parametrize(
    ("demands", "message"),
    [
        ([Demand("a", "b", over=("ba",))], 'unknown span "ba"; allowed: ab'),
        ([Demand("a", "b", over=("bc",))], "to .b. over bc: bc does not begin in a"),
        ([Demand("a", "b", over=("ab", "ac"))], "ac does not begin in b"),
        ([Demand("a", "b", over=("ac",))], "over ac: it ends in c"),
        ([Demand("a", "b", over=("ab", "bc", "ac", "ab"))], "ac leads back to a"),
        ([Demand("a", "a", over=("ab", "ab"))], "ab leads back to a"),
        ([Demand("a", "b", over=("ab",), marks=Marks(8))], "cannot tell marked packets"),
        ([Demand("a", "x", over=("ab",))], 'unknown campus "x"'),
        (
            [Demand("a", "b", over=("ac", "bc")), Demand("c", "b", over=("ac", "ab"))],
            'over ac, ab and the demand from "a" to "b" over ac, bc part at c-border',
        ),
        (
            [Demand("a", "b", over=("ab",)), Demand("a", "b", over=("ac", "bc"))],
            'over ac, bc and the demand from "a" to "b" over ab part at a-border',
        ),
    ],
)
def test_what_cannot_be_routed_is_refused_whatever_is_down(
    demands: list[Demand], message: str
) -> None:
    for up in (True, False):
        links = {span: LinkState(G, MS, up=up) for span in TRIANGLE.spans}
        with pytest.raises(PolicyError, match=message):
            route("static", TRIANGLE, links, *demands)


# traffic-classes


def limits(routes: Routes) -> dict[Marks, float]:
    return {limit.marks: limit.share for limit in routes.limits}


def test_background_traffic_may_take_a_tenth() -> None:
    links = {"ab": LinkState(10 * G, MS), "bc": LinkState(4 * G, MS)}
    routes = route("traffic-classes", LINE, links)
    assert limits(routes) == {Marks(dscp=1): 0.1, Marks(dscp=8): 0.1}
    assert routes.toward == route("shortest-delay", LINE, links).toward
    rsync = Marks(ports=(873,))
    routes = route("traffic-classes", LINE, links, Demand("a", "c", marks=rsync), Demand("a", "b"))
    assert limits(routes) == {Marks(dscp=1): 0.1, Marks(dscp=8): 0.1, rsync: 0.1}


def test_marked_demands_get_the_rate_that_they_state() -> None:
    """Over bc go 1 + 0.6 of 4 Gbit/s, over ab 1 of 10."""
    links = {"ab": LinkState(10 * G, MS), "bc": LinkState(4 * G, MS)}
    backup = Marks(dscp=8)
    demands = (
        Demand("a", "c", G, marks=backup),
        Demand("b", "c", 600_000_000, marks=backup),
        Demand("c", "a", G, marks=Marks(ports=(873,))),
    )
    routes = route("traffic-classes", LINE, links, *demands)
    assert limits(routes) == pytest.approx(
        {Marks(dscp=1): 0.1, backup: 0.4, Marks(ports=(873,)): 0.25}
    )
    greedy = Demand("a", "c", 40 * G, marks=backup)
    assert limits(route("traffic-classes", LINE, links, greedy))[backup] == 1.0
    links["bc"] = replace(links["bc"], up=False)  # cut off
    assert limits(route("traffic-classes", LINE, links, greedy))[backup] == 0.1


# max-min-te


def fair(graph: Graph, links: Mapping[str, LinkState], *demands: Demand) -> dict[str, float]:
    """Return what each pair of campuses gets, in Gbit/s."""
    network = Network(graph, links)
    campus = {switch.name: switch.campus for switch in graph.switches}
    found: dict[str, float] = defaultdict(float)
    for way, rate_bps in fairness.fair_flows(network, demands).items():
        ends = network.near[way[0]], network.far[way[-1]]
        found["".join(campus[network.switches[it]] for it in ends)] += rate_bps / G
    return {pair: round(it, 3) for pair, it in sorted(found.items())}


def test_two_spans_in_a_row() -> None:
    """Bertsekas and Gallager's kind of example: what the narrow span leaves, the wide one gives."""
    links = {"ab": LinkState(10 * G, MS), "bc": LinkState(4 * G, MS)}
    demands = Demand("a", "b"), Demand("a", "c"), Demand("b", "c")
    assert fair(LINE, links, *demands) == {"ab": 8, "ac": 2, "bc": 2}
    modest = Demand("a", "b"), Demand("a", "c"), Demand("b", "c", G)
    assert fair(LINE, links, *modest) == {"ab": 7, "ac": 3, "bc": 1}


def test_a_demand_takes_every_way_there_is() -> None:
    links = {span: LinkState(10 * G, MS) for span in TRIANGLE.spans}
    assert fair(TRIANGLE, links, Demand("a", "b")) == {"ab": 20}
    hops = route("max-min-te", TRIANGLE, links, Demand("a", "b")).toward["b-w1"]["a-border"]
    assert parts(TRIANGLE, hops, "a-border") == {"ab": 1, "ac": 1}
    # Two of them share what leaves a, and what arrives at b.
    demands = Demand("a", "b"), Demand("c", "b")
    assert fair(TRIANGLE, links, *demands) == {"ab": 10, "cb": 10}
    hops = route("max-min-te", TRIANGLE, links, *demands).toward["b-w1"]["a-border"]
    assert parts(TRIANGLE, hops, "a-border") == {"ab": 1}


def test_spans_are_full_duplex() -> None:
    links = {"ab": LinkState(10 * G, MS), "bc": LinkState(10 * G, MS)}
    assert fair(LINE, links) == {"ab": 5, "ac": 5, "ba": 5, "bc": 5, "ca": 5, "cb": 5}


def test_the_old_span_of_a_triangle_is_relieved() -> None:
    """Over c, a gets to b what a to c and c to b leave: x + y = 40 with x = 10 + y."""
    links = {"ab": LinkState(10 * G, MS), "bc": LinkState(40 * G, MS), "ac": LinkState(40 * G, MS)}
    demands = Demand("a", "b"), Demand("a", "c"), Demand("c", "b")
    assert fair(TRIANGLE, links, *demands) == {"ab": 25, "ac": 25, "cb": 25}
    hops = route("max-min-te", TRIANGLE, links, *demands).toward["b-w1"]["a-border"]
    assert parts(TRIANGLE, hops, "a-border") == {"ab": 2, "ac": 3}


def test_demands_that_are_cut_off_get_nothing() -> None:
    links = {"ab": LinkState(10 * G, MS), "bc": LinkState(4 * G, MS, up=False)}
    assert fair(LINE, links, Demand("a", "c"), Demand("a", "b")) == {"ab": 10}
    assert fair(LINE, links, Demand("a", "c")) == {}


def test_what_flows_in_a_circle_is_taken_out() -> None:
    links = {span: LinkState(10 * G, MS) for span in TRIANGLE.spans}
    network = Network(TRIANGLE, links)
    arcs = {
        network.switches[near][0] + network.switches[far][0]: arc
        for arc, (near, far) in enumerate(zip(network.near, network.far, strict=True))
    }
    flow = {arcs["ab"]: 5, arcs["bc"]: 8, arcs["ba"]: 3, arcs["ac"]: 1}
    ways = te.shares(network, Counter(flow))
    assert parts(TRIANGLE, ways["a-border"], "a-border") == {"ab": 2, "ac": 1}
    assert parts(TRIANGLE, ways["b-border"], "b-border") == {"bc": 1}


@st.composite
def contests(draw: st.DrawFn) -> tuple[Graph, dict[str, LinkState], list[Demand]]:
    """Draw campuses of one switch, spans of many rates, and a demand for some of the pairs."""
    names = ["a", "b", "c", "d"][: draw(st.integers(2, 4))]
    every = list(itertools.combinations(names, 2))
    pairs = [*pairwise(names), *draw(st.lists(st.sampled_from(every), max_size=4))]
    graph = network_of(*((f"s{number}", *pair) for number, pair in enumerate(pairs)))
    rates = st.integers(1, 40).map(lambda it: it * G)
    links = {span: LinkState(draw(rates), MS) for span in graph.spans}
    wanted = draw(st.lists(st.sampled_from(list(itertools.permutations(names, 2))), unique=True))
    asked = st.one_of(st.none(), rates)
    return graph, links, [Demand(*pair, rate_bps=draw(asked)) for pair in wanted or every]


def best(graph: Graph, links: Mapping[str, LinkState], demands: Sequence[Demand]) -> list[float]:
    """Return max-min fair rates in Gbit/s by flows on arcs, and by asking each demand for more."""
    network = Network(graph, links)
    arcs, many, switches = len(network.near), len(demands), len(network.switches)
    # Columns: flows by demand and arc, what each demand gets, the level. What enters, leaves.
    kept = np.zeros((many * switches, many * arcs + many + 1))
    for number, demand in enumerate(demands):
        rows = number * switches
        for arc in range(arcs):
            kept[rows + network.near[arc], number * arcs + arc] += 1
            kept[rows + network.far[arc], number * arcs + arc] -= 1
        kept[rows + network.at(demand.source), many * arcs + number] = -1
        kept[rows + network.at(demand.target), many * arcs + number] = 1
    room = np.hstack([np.tile(np.eye(arcs), many), np.zeros((arcs, many + 1))])
    capacity = network.rate_bps / G
    asked = np.array([demand.rate_bps / G if demand.rate_bps else 1e6 for demand in demands])
    level, rising = np.zeros(many), np.ones(many, bool)

    def most(column: int) -> float:
        """Return the most that a column can be, the level being what the rising have at least."""
        behind = np.hstack([np.zeros((many, many * arcs)), -np.eye(many), rising[:, None]])
        limits = np.concatenate([capacity, np.zeros(many)])
        goal = -(np.arange(kept.shape[1]) == many * arcs + column).astype(float)
        rates = zip(level * (1 - 1e-7), asked, strict=True)
        bounds = [(0, None)] * (many * arcs) + [*rates, (0, None)]
        done = linprog(goal, np.vstack([room, behind]), limits, kept, np.zeros(len(kept)), bounds)
        assert done.status == 0, done.message
        return float(-done.fun)

    while rising.any():
        level[rising] = most(many)
        for number in np.flatnonzero(rising).tolist():
            rising[number] = most(number) > level[number] + 1e-4
    return [float(it) for it in level]


@settings(max_examples=25, deadline=None)
@given(contests())
def test_shares_are_as_fair_as_can_be(
    contest: tuple[Graph, dict[str, LinkState], list[Demand]],
) -> None:
    graph, links, demands = contest
    wanted = dict(zip((it.source + it.target for it in demands), best(*contest), strict=True))
    assert fair(graph, links, *demands) == pytest.approx(wanted, rel=2e-3, abs=1e-3)


@settings(max_examples=25, deadline=None)
@given(contests())
def test_no_span_is_overloaded_even_where_programs_are_given_up(
    contest: tuple[Graph, dict[str, LinkState], list[Demand]],
) -> None:
    graph, links, demands = contest
    network = Network(graph, links)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fairness, "EFFORT", 0)
        flows = fairness.fair_flows(network, demands)
        check(graph, links, route("max-min-te", graph, links, *demands))
    load = np.zeros(len(network.near))
    for way, rate_bps in flows.items():
        load[list(way)] += rate_bps
    assert (load <= network.rate_bps * (1 + 1e-6)).all()
    # Each demand has all that it asks for, or crosses a span that is full.
    full = load >= network.rate_bps * (1 - 1e-3)
    for demand in demands:
        ends = network.at(demand.source), network.at(demand.target)
        ways = [way for way in flows if (network.near[way[0]], network.far[way[-1]]) == ends]
        got = sum(flows[way] for way in ways)
        assert got >= (demand.rate_bps or np.inf) * 0.999 or full[list(ways[0])].any()


def test_too_many_demands_are_refused() -> None:
    links = {"ab": LinkState(10 * G, MS), "bc": LinkState(4 * G, MS)}
    with pytest.raises(PolicyError, match="100001 demands are too many"):
        route("max-min-te", LINE, links, *[Demand("a", "b")] * 100_001)


# The page on policies.


def test_the_page_lists_every_policy_with_its_sentence() -> None:
    page = DOC.read_text()
    for name, sentence in policies.descriptions().items():
        assert f"| `{name}` | {sentence} |" in page


def test_the_policy_of_the_page_works() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOC.read_text(), re.DOTALL)
    assert len(code.splitlines()) < 40
    file: dict[str, Any] = {}
    exec(code, file)
    fewest_spans: policies.Policy = file["fewest_spans"]
    links = {"ab": LinkState(G, 9 * MS), "bc": LinkState(G, MS), "ac": LinkState(G, MS)}
    routes = fewest_spans(TRIANGLE, links, ())
    assert spans_to(TRIANGLE, routes, "a", "b-w1") == ["ab"]
    parallel = {"x": LinkState(G, 2 * MS), "y": LinkState(G, MS)}
    routes = fewest_spans(PARALLEL, parallel, ())
    assert spans_to(PARALLEL, routes, "a", "b-w1") == ["y"]
    links["ab"] = replace(links["ab"], up=False)
    check(TRIANGLE, links, fewest_spans(TRIANGLE, links, ()))
