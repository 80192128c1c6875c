"""What the controller tells of its routes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from controller.reports import Reports
from controller.trace import Tables
from controller.wiring import Wiring
from tests.controller.networks import Configuration
from topologies.graph import build_graph
from topologies.linkstate import LinkState
from topologies.spec import NetworkSpec

STAR = {"workers": 1, "fabric": {"kind": "star"}}
SPAN = {"between": ["west", "east"], "rate": "1 Gbit/s", "delay": "1 ms"}
GRAPH = build_graph(
    NetworkSpec.model_validate(
        {"campuses": {"west": STAR, "east": STAR}, "spans": {"s1": SPAN, "s2": SPAN, "s3": SPAN}}
    )
)


def crossed(policy: str, **delays_ns: int) -> Any:
    """Return what traffic from west to east crosses, each way."""
    wiring = Wiring(GRAPH)
    links = {span: LinkState(10**9, delays_ns.get(span, 10**6)) for span in GRAPH.spans}
    tables = Tables(wiring, Configuration(wiring, policy, links).in_force(1), [])
    state: Any = SimpleNamespace(wiring=wiring, tables=lambda: tables)
    return Reports(state).crossings()["west-w1"]["east-w1"]


@pytest.mark.parametrize("best", ["s1", "s2", "s3"])
def test_of_spans_side_by_side_that_is_told_which_is_taken(best: str) -> None:
    assert crossed("shortest-delay", **{best: 1000}) == {best: (1.0, 0.0)}
    assert crossed("shortest-delay") == {"s1": (1.0, 0.0)}


def test_flows_that_are_spread_over_spans_side_by_side_cross_each() -> None:
    found = crossed("ecmp")
    assert found.keys() == {"s1", "s2", "s3"}
    assert sum(forward for forward, _ in found.values()) == pytest.approx(1)
