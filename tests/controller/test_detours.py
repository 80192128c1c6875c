"""Where a span dies, packets find the way around it before the controller knows."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller import policies
from controller.wiring import Wiring
from tests.controller.networks import (
    NO_SHRINKING,
    Configuration,
    demands,
    link_states,
    networks,
)
from tests.controller.slow_switches import packets_of


@pytest.mark.parametrize("policy", policies.names())
@settings(max_examples=15, deadline=None, phases=NO_SHRINKING)
@given(st.data())
def test_packets_go_around_any_one_span_that_dies(policy: str, data: st.DataObject) -> None:
    wiring = Wiring(data.draw(networks()))
    links = data.draw(link_states(wiring.graph, st.sampled_from([True, True, True, False])))
    configuration = Configuration(wiring, policy, links, data.draw(demands(wiring.graph)))
    packets = packets_of(wiring, configuration.in_force(1))
    workers = [host.name for host in wiring.graph.workers]
    pairs = [(a, b) for a in workers for b in workers if a != b]
    routed = {pair for pair in pairs if packets.arrives(packets.entering(*pair))}
    for dead in wiring.graph.spans:
        packets.kill(frozenset(wiring.ends(dead)))
        left: nx.Graph[str] = nx.Graph()
        left.add_nodes_from(wiring.workers_of)
        for span, link in wiring.graph.spans.items():
            if span != dead and links[span].up:
                left.add_edge(wiring.campus[link.a], wiring.campus[link.b])
        for source, target in pairs:
            arrives = packets.arrives(packets.entering(source, target))
            joined = nx.has_path(left, wiring.campus[source], wiring.campus[target])
            assert arrives == (joined and (source, target) in routed), (dead, source, target)
