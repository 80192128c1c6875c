"""Traces tell what rules do, also where they do wrong."""

from __future__ import annotations

from controller.rules import ETH_IPV4, Match, Rule, To
from controller.trace import Tables
from controller.wiring import Wiring
from topologies.graph import Graph


def test_loops_drops_and_wrong_hosts_are_seen(graph: Graph) -> None:
    wiring = Wiring(graph)
    to_w2 = Match(ETH_IPV4, wiring.addresses["north-w2"])
    leaf, spine = wiring.dpids["north-leaf1"], wiring.dpids["north-spine1"]
    up = next(
        port
        for (node, port), far in wiring.far.items()
        if (node, far) == ("north-leaf1", "north-spine1")
    )
    down = next(
        port
        for (node, port), far in wiring.far.items()
        if (node, far) == ("north-spine1", "north-leaf1")
    )
    _, access = wiring.access["north-w1"]

    def trace(*rules: Rule) -> tuple[tuple[str, ...], str]:
        found = Tables(wiring, rules).trace("north-w1", "north-w2")
        return found.nodes[1:], found.outcome

    climb = Rule(leaf, 100, to_w2, up, 0)
    assert trace() == (("north-leaf1",), "dropped")
    assert trace(climb) == (("north-leaf1", "north-spine1"), "dropped")
    back = Rule(spine, 100, to_w2, down, 0)
    assert trace(climb, back) == (("north-leaf1", "north-spine1", "north-leaf1"), "loop")
    assert trace(Rule(leaf, 100, to_w2, access, 0)) == (("north-leaf1", "north-w1"), "dropped")
    assert trace(Rule(leaf, 100, to_w2, 77, 0)) == (("north-leaf1",), "dropped")
    drop = Rule(leaf, 200, Match(), To.NOWHERE, 0)
    assert trace(climb, drop) == (("north-leaf1",), "dropped")
    arp = Rule(leaf, 300, Match(eth_type=0x0806), To.CONTROLLER, 0)
    assert trace(climb, arp) == (("north-leaf1", "north-spine1"), "dropped")
