from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.maplayout import SHORTEST, Map, Route, draw


def apart(drawn: Map, a: str, b: str) -> float:
    return math.dist(drawn.campuses[a], drawn.campuses[b])


def test_a_triangle_is_drawn_to_distance_with_north_up() -> None:
    routes = [
        Route("north-south", ("north", "south"), 70.0),
        Route("south-east", ("south", "east"), 48.0),
        Route("north-east", ("north", "east"), 63.0),
    ]
    drawn = draw(["north", "south", "east"], routes)
    for route in routes:
        assert apart(drawn, *route.ends) == pytest.approx(route.km, rel=0.01)
        assert drawn.spans[route.span].to_scale
    assert drawn.campuses["north"][1] > drawn.campuses["east"][1] > drawn.campuses["south"][1]
    assert drawn.campuses["east"][0] > max(drawn.campuses[it][0] for it in ("north", "south"))


@given(st.lists(st.floats(10, 40), min_size=5, max_size=5))
def test_a_chain_is_drawn_to_distance(lengths: list[float]) -> None:
    campuses = [f"c{index}" for index in range(6)]
    routes = [
        Route(f"s{index}", (campuses[index], campuses[index + 1]), km)
        for index, km in enumerate(lengths)
    ]
    drawn = draw(campuses, routes)
    assert all(drawn.spans[route.span].to_scale for route in routes)
    assert all(apart(drawn, a, b) > 1 for a, b in combinations(campuses, 2))


def test_a_ring_does_not_cross_itself() -> None:
    ring = ["north", "east", "south", "west"]
    lengths = (40.0, 55.0, 35.0, 60.0)
    pairs = zip(ring, [*ring[1:], ring[0]], strict=True)
    routes = [Route("-".join(ends), ends, km) for ends, km in zip(pairs, lengths, strict=True)]
    drawn = draw(ring, routes)
    assert all(line.to_scale for line in drawn.spans.values())
    (n, e, s, w) = (np.array(drawn.campuses[name]) for name in ring)
    corners = [np.linalg.det([b - a, c - b]) for a, b, c in ((n, e, s), (e, s, w), (s, w, n))]
    assert len({corner > 0 for corner in corners}) == 1, "all turns to one side"


def test_what_no_plane_can_hold_is_said_to_be_out_of_scale() -> None:
    campuses = ["a", "b", "c", "d"]
    routes = [Route(f"{a}-{b}", (a, b), 50.0) for a, b in combinations(campuses, 2)]
    drawn = draw(campuses, routes)
    assert not all(line.to_scale for line in drawn.spans.values())


def test_a_span_too_short_to_be_seen_is_drawn_longer_and_said_to_be() -> None:
    routes = [Route("a-b", ("a", "b"), 6000.0), Route("b-c", ("b", "c"), 2.0)]
    drawn = draw(["a", "b", "c"], routes)
    assert drawn.spans["a-b"].to_scale and not drawn.spans["b-c"].to_scale
    assert apart(drawn, "b", "c") == pytest.approx(SHORTEST * 6000, rel=0.05)


def test_spans_beside_each_other_are_bent_to_both_sides() -> None:
    ends = {"first": ("a", "b"), "second": ("b", "a"), "third": ("a", "b")}
    drawn = draw(["a", "b"], [Route(name, pair, 30.0) for name, pair in ends.items()])
    seen = {
        name: line.bend * (1 if ends[name] == ("a", "b") else -1)
        for name, line in drawn.spans.items()
    }
    assert sorted(seen.values()) == [-1, 0, 1], "as seen from a"
    assert apart(drawn, "a", "b") == pytest.approx(30)


@pytest.mark.parametrize("campuses", [["alone"], ["a", "b"]])
def test_few_campuses_can_be_drawn(campuses: list[str]) -> None:
    routes = [Route("a-b", ("a", "b"), 5.0)] if len(campuses) > 1 else []
    drawn = draw(campuses, routes)
    assert set(drawn.campuses) == set(campuses)
    assert all(math.isfinite(it) for place in drawn.campuses.values() for it in place)


def test_the_same_campuses_stand_where_they_stood() -> None:
    routes = [Route("a-b", ("a", "b"), 5.0), Route("b-c", ("b", "c"), 7.0)]
    assert draw(["a", "b", "c"], routes) == draw(["a", "b", "c"], routes)
