"""Policies: pure, deterministic, found by file name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller import policies
from controller.errors import PolicyError
from controller.policies.shortest_delay import shortest_delay
from controller.rules import base_rules, route_rules
from controller.trace import Tables
from controller.wiring import Wiring
from topologies.graph import Graph, build_graph
from topologies.linkstate import LinkState
from topologies.spec import NetworkSpec


def paths(graph: Graph, links: dict[str, LinkState]) -> dict[tuple[str, str], tuple[str, ...]]:
    wiring = Wiring(graph)
    tables = Tables(
        wiring, [*base_rules(wiring), *route_rules(wiring, shortest_delay(graph, links))]
    )
    return {
        (a.name, b.name): trace.nodes
        for a in graph.workers
        for b in graph.workers
        if a != b and (trace := tables.trace(a.name, b.name)).outcome == "delivered"
    }


def test_every_policy_is_listed_with_a_sentence() -> None:
    assert "shortest-delay" in policies.names()
    for name, sentence in policies.descriptions().items():
        assert sentence.endswith("."), name


def test_an_unknown_policy_is_answered_with_those_there_are() -> None:
    with pytest.raises(PolicyError, match='did you mean "shortest-delay"'):
        policies.load("shortest-dealy")


def test_delay_decides_not_the_number_of_spans(graph: Graph, links: dict[str, LinkState]) -> None:
    path = paths(graph, links)["north-w1", "south-w1"]
    assert [node for node in path if node.endswith("border")] == [
        "north-border",
        "east-border",
        "south-border",
    ]
    links["north-south"] = replace(links["north-south"], delay_ns=4_000_000)
    assert "east-border" not in paths(graph, links)["north-w1", "south-w1"]


def test_ties_go_to_fewer_hops_then_to_names(graph: Graph, links: dict[str, LinkState]) -> None:
    links["north-south"] = replace(links["north-south"], delay_ns=5_000_000)
    path = paths(graph, links)["north-w1", "south-w1"]
    assert "east-border" not in path  # equal delay over one span or two
    assert "north-spine1" in path  # not spine2, as near
    assert paths(graph, links)["south-w1", "south-w2"][1:-1] == ("south-border", "south-ring2")


def test_equal_parallel_spans_are_told_apart_by_name() -> None:
    span = {"rate": "1 Gbit/s", "delay": "1 ms", "between": ["west", "east"]}
    spec = {"campuses": {"west": {"workers": 1}, "east": {"workers": 1}}}
    graph = build_graph(NetworkSpec.model_validate({**spec, "spans": {"b": span, "a": span}}))
    links = {"a": LinkState(10**9, 10**6), "b": LinkState(10**9, 10**6)}

    def port() -> int:
        return shortest_delay(graph, links).toward["east-w1"]["west-border"]

    assert port() == graph.spans["a"].a_port
    links["a"] = replace(links["a"], up=False)
    assert port() == graph.spans["b"].a_port


def test_spans_that_are_down_are_left_out_and_may_cut_workers_off(
    graph: Graph, links: dict[str, LinkState]
) -> None:
    links["north-east"] = replace(links["north-east"], up=False)
    assert "east-border" not in paths(graph, links)["north-w1", "south-w1"]
    links["north-south"] = replace(links["north-south"], up=False)
    reached = paths(graph, links)
    assert ("north-w1", "north-w2") in reached
    assert ("south-w1", "east-w1") in reached
    assert not [pair for pair in reached if sum(name.startswith("north") for name in pair) == 1]


def test_the_same_input_gives_the_same_routes(graph: Graph, links: dict[str, LinkState]) -> None:
    backwards = Graph(graph.hosts, graph.switches[::-1], graph.links[::-1])
    assert shortest_delay(graph, links) == shortest_delay(backwards, links)
