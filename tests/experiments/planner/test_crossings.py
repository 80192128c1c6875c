"""Which spans campuses use, as the policies have it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.routes import Demand
from experiments.planner.crossings import CutOff, crossings_of, seen_by
from experiments.twin import twin_of
from tests.fakes.scenarios import ring, scenario_of
from topologies.linkstate import Duplex, LinkState

GRAPH = twin_of(scenario_of(ring())).graph
FAST, SLOW = LinkState(10**9, 10**6), LinkState(10**7, 10**6)


def states(**changed: LinkState) -> dict[str, Duplex]:
    every = dict.fromkeys(GRAPH.spans, FAST) | {
        name.replace("_", "-"): state for name, state in changed.items()
    }
    return {span: Duplex.both(state) for span, state in every.items()}


def test_a_slow_span_is_avoided_by_policies_that_look_at_its_rate() -> None:
    slow = states(north_south=SLOW)
    assert crossings_of(GRAPH, "shortest-delay", slow)["north", "south"] == (("north-south", 0),)
    around = crossings_of(GRAPH, "widest-path", slow)["north", "south"]
    assert [span for span, _ in around] == ["north-east", "south-east"]
    assert [way for _, way in around] == [0, 1], "to east as named, to south against it"


def test_a_demand_says_the_way() -> None:
    demand = Demand("north", "south", over=("north-east", "south-east"))
    told = crossings_of(GRAPH, "static", states(), [demand])["north", "south"]
    assert [span for span, _ in told] == ["north-east", "south-east"]


def test_a_campus_that_no_span_reaches_is_cut_off() -> None:
    down = replace(FAST, up=False)
    with pytest.raises(CutOff, match='"south"'):
        crossings_of(GRAPH, "shortest-delay", states(north_south=down, south_east=down))


def test_what_a_policy_sees_decides_which_states_are_alike() -> None:
    assert seen_by("shortest-delay", FAST) == seen_by("shortest-delay", SLOW)
    assert seen_by("widest-path", FAST) != seen_by("widest-path", SLOW)
    assert seen_by("shortest-delay", FAST) != seen_by("shortest-delay", replace(FAST, up=False))
