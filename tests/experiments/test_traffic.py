"""The bytes of each strategy over each span."""

from __future__ import annotations

import networkx as nx
import pytest

from experiments.traffic import expected_run_bytes, expected_span_bytes
from experiments.twin import Twin, twin_of
from tests.fakes.scenarios import ring, scenario_of, tiny

WIRE = (9000 + 14) / (9000 - 52)
"""Headers of a full frame, on top of its data."""


def routes(twin: Twin, avoiding: str | None = None) -> dict[str, dict[str, list[str]]]:
    """Return the shortest path between all workers by hops."""
    whole: nx.Graph[str] = nx.Graph()
    for link in twin.graph.links:
        if not link.span or link.span != avoiding:
            whole.add_edge(link.a, link.b)
    names = [host.name for host in twin.graph.workers]
    return {a: {b: nx.shortest_path(whole, a, b) for b in names if b != a} for a in names}


def test_a_ring_all_reduce_crosses_each_span_once() -> None:
    twin = twin_of(scenario_of(ring()))
    expected = expected_span_bytes(twin, routes(twin), "ddp")
    per_edge = 2 * 5 / 6 * 1_000_000 * WIRE
    crossed = {
        (span, way): moved for span, ways in expected.items() for way, moved in enumerate(ways)
    }
    assert sorted(crossed.values()) == pytest.approx([0, 0, 0, per_edge, per_edge, per_edge])
    # Rank i sends to rank i - 1: east to south, south to north, north to east.
    assert crossed["south-east", 1] == pytest.approx(per_edge)
    assert crossed["north-south", 1] == pytest.approx(per_edge)
    assert crossed["north-east", 0] == pytest.approx(per_edge)


def test_a_detour_moves_the_bytes_over_both_of_its_spans() -> None:
    twin = twin_of(scenario_of(ring()))
    expected = expected_span_bytes(twin, routes(twin, avoiding="north-south"), "ddp")
    per_edge = 2 * 5 / 6 * 1_000_000 * WIRE
    assert expected["north-south"] == [0.0, 0.0]
    assert expected["north-east"] == pytest.approx([2 * per_edge, 0]) or expected[
        "north-east"
    ] == pytest.approx([per_edge, per_edge])
    assert sum(sum(ways) for ways in expected.values()) == pytest.approx(4 * per_edge)


def test_two_ranks_send_each_other_everything() -> None:
    twin = twin_of(scenario_of(tiny()))
    expected = expected_span_bytes(twin, routes(twin), "ddp")
    assert expected == {"west-east": [pytest.approx(400_000 * WIRE), pytest.approx(400_000 * WIRE)]}


def test_a_hierarchy_crosses_each_span_with_its_campuses_share() -> None:
    twin = twin_of(scenario_of(ring()))
    expected = expected_span_bytes(twin, routes(twin), "hierarchical")
    # Two slices, each in a ring of three.
    assert expected["south-east"] == pytest.approx([0, 2 * 2 / 3 * 1_000_000 * WIRE])
    assert sum(sum(ways) for ways in expected.values()) == pytest.approx(4_000_000 * WIRE)


def test_campuses_of_unequal_size_cross_through_one_rank_each() -> None:
    twin = twin_of(scenario_of(tiny(network__campuses__west__workers=3)))
    expected = expected_span_bytes(twin, routes(twin), "hierarchical")
    assert expected == {"west-east": [pytest.approx(400_000 * WIRE), pytest.approx(400_000 * WIRE)]}


def test_the_traffic_of_other_strategies_is_not_known() -> None:
    twin = twin_of(scenario_of(tiny()))
    with pytest.raises(ValueError, match="some-other is not known"):
        expected_span_bytes(twin, routes(twin), "some-other")


def test_routes_may_change_during_a_run() -> None:
    twin = twin_of(scenario_of(ring()))
    direct, detour = routes(twin), routes(twin, avoiding="north-south")
    found = expected_run_bytes(twin, [(0, direct), (8, detour)], "ddp", steps=10)
    before, after = (expected_span_bytes(twin, it, "ddp") for it in (direct, detour))
    for span, ways in found.items():
        assert ways == pytest.approx(
            [8 * a + 2 * b for a, b in zip(before[span], after[span], strict=True)]
        )
