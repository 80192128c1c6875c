"""Fabrics and the graph: whole, unambiguous, and the same from the same specification."""

from __future__ import annotations

import ipaddress
from collections import Counter
from itertools import pairwise
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.errors import NetworkError
from topologies.fabrics import FABRICS
from topologies.graph import MAX_SPAN_INDEX, Graph, build_graph
from topologies.spec import FabricSpec, NetworkSpec, ends

SPAN = {"rate": "1 Gbit/s", "delay": "1 ms"}

fabrics = st.builds(
    lambda kind, leaves, spines: {"kind": kind, "leaves": leaves, "spines": spines},
    st.sampled_from(sorted(FABRICS)),
    st.integers(1, 5),
    st.integers(1, 5),
)


@st.composite
def networks(draw: st.DrawFn) -> dict[str, Any]:
    """A chain of campuses, some further spans, some of them parallel."""
    names = [f"c{index}" for index in range(draw(st.integers(1, 5)))]
    campuses = {
        name: {"workers": draw(st.integers(1, 7)), "fabric": draw(fabrics)} for name in names
    }
    pairs = list(pairwise(names))
    if pairs:
        pairs += draw(st.lists(st.sampled_from(pairs), max_size=3))
    spans = {
        f"span{index}": {**SPAN, "between": list(pair)} for index, pair in enumerate(pairs, start=1)
    }
    return {"campuses": campuses, "spans": spans}


def graph_of(spec: dict[str, Any]) -> Graph:
    return build_graph(NetworkSpec.model_validate(spec))


@pytest.mark.parametrize("kind", sorted(FABRICS))
@settings(max_examples=60, deadline=None)
@given(leaves=st.integers(1, 32), spines=st.integers(1, 8))
def test_every_fabric_is_one_piece_without_double_cables(
    kind: str, leaves: int, spines: int
) -> None:
    fabric = FABRICS[kind](FabricSpec(kind=kind, leaves=leaves, spines=spines))  # type: ignore[arg-type]
    whole: nx.Graph[str] = nx.Graph(fabric.cables)
    whole.add_nodes_from(fabric.switches)
    assert nx.is_connected(whole)
    assert set(whole) == set(fabric.switches)
    assert len(fabric.switches) == len(set(fabric.switches))
    assert whole.number_of_edges() == len(fabric.cables), "two cables between the same switches"
    assert not list(nx.selfloop_edges(whole))
    assert {fabric.border, *fabric.edges} <= set(fabric.switches)
    assert fabric.edges


@pytest.mark.parametrize(
    ("kind", "switches", "cables", "degree"),
    [
        ("leaf-spine", 4 + 3 + 1, 5 * 3, None),
        ("star", 1, 0, 0),
        ("ring", 4, 4, 2),
        ("torus", 12, 24, 4),
    ],
)
def test_fabrics_have_their_textbook_shape(
    kind: str, switches: int, cables: int, degree: int | None
) -> None:
    fabric = FABRICS[kind](FabricSpec(kind=kind, leaves=4, spines=3))  # type: ignore[arg-type]
    assert (len(fabric.switches), len(fabric.cables)) == (switches, cables)
    if degree is not None:
        degrees = Counter(switch for cable in fabric.cables for switch in cable)
        assert {degrees[switch] for switch in fabric.switches} == {degree}


@settings(max_examples=60, deadline=None)
@given(networks())
def test_a_graph_is_connected_and_nothing_in_it_is_ambiguous(spec: dict[str, Any]) -> None:
    graph = graph_of(spec)
    whole: nx.MultiGraph[str] = nx.MultiGraph([(link.a, link.b) for link in graph.links])
    whole.add_nodes_from(switch.name for switch in graph.switches)
    nodes = [host.name for host in graph.hosts] + [switch.name for switch in graph.switches]
    assert nx.is_connected(whole)
    assert set(whole) == set(nodes)
    for values in (
        nodes,
        [host.ip for host in graph.hosts],
        [host.mac for host in graph.hosts],
        [switch.dpid for switch in graph.switches],
        [(node, port) for node, port, _, _ in graph.half_links()],
    ):
        assert len(set(values)) == len(values)
    hosts = {host.name for host in graph.hosts}
    for node, port, _, _ in graph.half_links():
        assert (port == 0) == (node in hosts)
    assert all(0 < switch.dpid < 2**64 for switch in graph.switches)
    assert all(
        ipaddress.ip_address(host.ip) in ipaddress.ip_network("10.0.0.0/8") for host in graph.hosts
    )


@settings(max_examples=60, deadline=None)
@given(networks())
def test_workers_come_campus_by_campus_and_probers_last(spec: dict[str, Any]) -> None:
    graph = graph_of(spec)
    counts = {name: campus["workers"] for name, campus in spec["campuses"].items()}
    assert [host.campus for host in graph.workers] == [
        name for name, count in counts.items() for _ in range(count)
    ]
    assert graph.hosts[: len(graph.workers)] == graph.workers
    assert set(graph.spans) == set(spec["spans"])
    for name, link in graph.spans.items():
        first, second = graph.probers(name)
        assert [first.campus, second.campus] == spec["spans"][name]["between"]
        assert (link.a, link.b) == (f"{first.campus}-border", f"{second.campus}-border")


@settings(max_examples=60, deadline=None)
@given(networks())
def test_a_graph_survives_json_and_comes_out_the_same_every_time(spec: dict[str, Any]) -> None:
    graph = graph_of(spec)
    assert Graph.from_json(graph.to_json()) == graph
    assert graph_of(spec) == graph


def test_names_of_campuses_and_spans_do_not_meet() -> None:
    spec = {
        "campuses": {"a": {"workers": 2}, "a-w": {"workers": 2}, "a-b": {"workers": 1}},
        "spans": {"a-a-w": SPAN, "a-w-a-b": SPAN},
    }
    graph = graph_of(spec)
    assert [graph.spans["a-a-w"].a, graph.spans["a-a-w"].b] == ["a-border", "a-w-border"]
    assert [graph.spans["a-w-a-b"].a, graph.spans["a-w-a-b"].b] == ["a-w-border", "a-b-border"]
    assert len({host.name for host in graph.hosts}) == len(graph.hosts)


def test_two_meanings_of_a_span_name_are_not_guessed_between() -> None:
    spec = NetworkSpec.model_validate(
        {
            "campuses": {"a": {"workers": 1}, "b": {"workers": 1}, "b-c": {"workers": 1}},
            "spans": {"a-b": SPAN, "a-b-c": SPAN},
        }
    )
    assert spec.ends_of("a-b-c") == ("a", "b-c")


def test_a_name_that_may_be_cut_in_two_ways_is_refused() -> None:
    span = NetworkSpec.model_validate(
        {"campuses": {"x": {"workers": 1}, "y": {"workers": 1}}, "spans": {"x-y": SPAN}}
    ).spans["x-y"]
    with pytest.raises(ValueError, match="between"):
        ends("a-b-c", span, ("a", "b-c", "a-b", "c"))


@pytest.mark.parametrize("spans", [{}, {"s": {**SPAN, "between": ["a", "b"]}}])
def test_the_address_plan_has_room_for_its_limits(spans: dict[str, Any]) -> None:
    names = ["a", "b"] if spans else ["a"]
    graph = graph_of({"campuses": {name: {"workers": 64} for name in names}, "spans": spans})
    assert len({host.ip for host in graph.hosts}) == 64 * len(names) + 2 * len(spans)


def test_too_many_spans_are_refused() -> None:
    spec = NetworkSpec.model_validate({"campuses": {"a": {"workers": 1}}})
    span = NetworkSpec.model_validate(
        {"campuses": {"x": {"workers": 1}, "y": {"workers": 1}}, "spans": {"x-y": SPAN}}
    ).spans["x-y"]
    crowded = spec.model_copy(update={"spans": {f"s{i}": span for i in range(MAX_SPAN_INDEX + 1)}})
    with pytest.raises(NetworkError, match="more than 250 spans"):
        build_graph(crowded)
