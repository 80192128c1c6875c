"""What policies are made of: least ways, shares, small weights."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import PolicyError
from controller.paths import MOST_PARTS, Network, small_weights
from controller.routes import Hop
from topologies.graph import Graph
from topologies.linkstate import LinkState

G, MS = 10**9, 10**6


@pytest.mark.parametrize(
    ("shares", "weights"),
    [
        ((7.0,), (1,)),
        ((1.0, 1.0), (1, 1)),
        ((100.0, 99.0), (1, 1)),  # half a per cent too much is nearly in proportion
        ((400.0, 100.0), (4, 1)),
        ((400.0, 40.0), (10, 1)),
        ((400.0, 10.0), (1, 0)),  # 10 of 410 are less than one part of 16
        ((3.0, 2.0, 1.0), (3, 2, 1)),
        ((1.0,) * 20, (1,) * 20),
        ((math.inf, 10.0), (1, 0)),
        ((math.inf, 10.0, math.inf), (1, 0, 1)),
        ((0.0, 5.0), (0, 1)),
    ],
)
def test_small_weights(shares: tuple[float, ...], weights: tuple[int, ...]) -> None:
    assert small_weights(shares) == weights


@given(st.lists(st.floats(0.1, 1000), min_size=1, max_size=20).map(tuple))
def test_weights_are_small_and_overload_little(shares: tuple[float, ...]) -> None:
    weights = small_weights(shares)
    assert len(weights) == len(shares)
    assert 1 <= sum(weights) <= max(MOST_PARTS, len(shares))
    # The last part went where (w + 1) / s was least, so each w / s is at most (v + 1) / t of any
    # other share t; added up, T parts overload none of n shares by more than (n - 1) / T.
    parts = max(MOST_PARTS, len(shares))
    overload = max(w / s for w, s in zip(weights, shares, strict=True)) * sum(shares) / sum(weights)
    assert overload <= (1 + (len(shares) - 1) / parts) / 0.98


def test_arcs_are_in_order_and_leave_out_what_is_down(
    graph: Graph, links: dict[str, LinkState]
) -> None:
    links["north-south"] = replace(links["north-south"], up=False)
    network = Network(graph, links)
    assert network.switches == sorted(switch.name for switch in graph.switches)
    ends = list(zip(network.near.tolist(), network.far.tolist(), strict=True))
    assert ends == sorted(ends)
    spans = [state for state in network.state if state]
    assert sorted(it.delay_ns for it in spans) == [2 * MS, 2 * MS, 3 * MS, 3 * MS]
    assert np.isinf(network.rate_bps[network.fabric]).all()


def test_switches_of_a_campus_are_one_site(graph: Graph, links: dict[str, LinkState]) -> None:
    network = Network(graph, links)
    pairs = {(it.campus, int(network.site[network.place[it.name]])) for it in graph.switches}
    assert len(pairs) == len({campus for campus, _ in pairs}) == len({site for _, site in pairs})


def test_a_campus_stands_where_its_first_worker_is(
    graph: Graph, links: dict[str, LinkState]
) -> None:
    network = Network(graph, links)
    assert network.switches[network.at("north")] == "north-leaf1"
    with pytest.raises(PolicyError, match='did you mean "north"'):
        network.at("nort")


def test_a_way_is_followed_to_its_root(graph: Graph, links: dict[str, LinkState]) -> None:
    network = Network(graph, links)
    root, start = network.at("south"), network.at("north")
    tree = dict(network.trees(network.delay_ns))[root]
    there, nowhere = network.follow(tree, [start, root])
    names = [network.switches[network.far[arc]] for arc in there]
    assert names == ["north-spine1", "north-border", "east-border", "south-border"]
    assert nowhere == []


def test_costs_are_added_up_exactly_or_not_at_all(
    graph: Graph, links: dict[str, LinkState]
) -> None:
    unit = len(graph.switches) + 1
    links = {span: LinkState(G, 2**52 // unit) for span in links}
    network = Network(graph, links)
    assert network.least(network.delay_ns)  # one span each, and few hops
    network = Network(graph, {span: LinkState(G, 2**53 // unit) for span in links})
    with pytest.raises(PolicyError, match="too large"):
        network.least(network.delay_ns)


def test_shares_become_weights_by_switch(graph: Graph, links: dict[str, LinkState]) -> None:
    network = Network(graph, links)
    leaf, border = network.place["north-leaf1"], network.place["north-border"]
    arcs = np.flatnonzero((network.near == leaf) | (network.near == border))
    ways = network.share(arcs)
    assert {hop.weight for hop in ways["north-leaf1"]} == {1}
    kept = np.flatnonzero(network.near == leaf)
    assert network.share(kept, np.array([6e9, 2e9])) == {
        "north-leaf1": (Hop(network.port[kept[0]], 3), Hop(network.port[kept[1]], 1))
    }
