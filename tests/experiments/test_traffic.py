"""The bytes of each strategy over each span."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import pytest

from experiments.coherence import system_steps
from experiments.exchanges import Exchange, exchanges_of
from experiments.traffic import (
    MESSAGE_BYTES,
    Routes,
    arrivals,
    expected_arrivals,
    expected_run_bytes,
    message_slack,
    routes_by_step,
    routing_slack,
    splitting_slack,
)
from experiments.twin import Twin, twin_of
from tests.fakes.scenarios import ring, scenario_of, tiny
from tests.fakes.steps import MS, series
from workloads import strategies

WIRE = (9000 + 14) / (9000 - 52)
"""Headers of a full frame, on top of its data."""


def routes(twin: Twin, avoiding: str | None = None) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Return what the shortest path between all workers, by hops, crosses."""
    whole: nx.Graph[str] = nx.Graph()
    for link in twin.graph.links:
        if not link.span or link.span != avoiding:
            whole.add_edge(link.a, link.b)
    names = [host.name for host in twin.graph.workers]
    ends = {(link.a, link.b): (span, [1.0, 0.0]) for span, link in twin.graph.spans.items()}
    ends |= {(b, a): (span, [0.0, 1.0]) for (a, b), (span, _) in ends.items()}
    return {
        a: {
            b: dict(ends[hop] for hop in pairwise(nx.shortest_path(whole, a, b)) if hop in ends)
            for b in names
            if b != a
        }
        for a in names
    }


def of(twin: Twin, strategy: str, **stated: object) -> list[Exchange]:
    return exchanges_of(twin, strategy, strategies.settled(strategy, stated))


def in_one_step(
    twin: Twin, routes: Routes, strategy: str, **stated: object
) -> dict[str, list[float]]:
    """Return what the first step moves over each span."""
    return expected_run_bytes(twin, [(0, routes)], of(twin, strategy, **stated), range(1))


def test_a_ring_all_reduce_crosses_each_span_once() -> None:
    twin = twin_of(scenario_of(ring()))
    expected = in_one_step(twin, routes(twin), "ddp")
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
    expected = in_one_step(twin, routes(twin, avoiding="north-south"), "ddp")
    per_edge = 2 * 5 / 6 * 1_000_000 * WIRE
    assert expected["north-south"] == [0.0, 0.0]
    assert expected["north-east"] == pytest.approx([2 * per_edge, 0]) or expected[
        "north-east"
    ] == pytest.approx([per_edge, per_edge])
    assert sum(sum(ways) for ways in expected.values()) == pytest.approx(4 * per_edge)


def test_two_ranks_send_each_other_everything() -> None:
    twin = twin_of(scenario_of(tiny()))
    expected = in_one_step(twin, routes(twin), "ddp")
    assert expected == {"west-east": [pytest.approx(400_000 * WIRE), pytest.approx(400_000 * WIRE)]}


def test_a_hierarchy_crosses_each_span_with_its_campuses_share() -> None:
    twin = twin_of(scenario_of(ring()))
    expected = in_one_step(twin, routes(twin), "hierarchical")
    # Two slices, each in a ring of three.
    assert expected["south-east"] == pytest.approx([0, 2 * 2 / 3 * 1_000_000 * WIRE])
    assert sum(sum(ways) for ways in expected.values()) == pytest.approx(4_000_000 * WIRE)


def test_campuses_of_unequal_size_cross_through_one_rank_each() -> None:
    twin = twin_of(scenario_of(tiny(network__campuses__west__workers=3)))
    expected = in_one_step(twin, routes(twin), "hierarchical")
    assert expected == {"west-east": [pytest.approx(400_000 * WIRE), pytest.approx(400_000 * WIRE)]}


def test_the_traffic_of_other_strategies_is_not_known() -> None:
    twin = twin_of(scenario_of(tiny()))
    with pytest.raises(ValueError, match="some-other is not known"):
        exchanges_of(twin, "some-other", {})


def test_the_traffic_of_every_strategy_is_known() -> None:
    twin = twin_of(scenario_of(ring()))
    for strategy in strategies.names():
        moved = expected_run_bytes(twin, [(0, routes(twin))], of(twin, strategy), range(20))
        assert any(any(ways) for ways in moved.values()), strategy


@pytest.mark.parametrize(
    ("strategy", "stated", "share"),
    [
        ("parallel-groups", {}, 1.0),
        ("fp16", {}, 1 / 2),
        ("local-sgd", {"every": 1}, 1.0),
        ("diloco", {"every": 1}, 1 / 2),
        ("diloco", {"every": 1, "half": False}, 1.0),
        ("streaming-diloco", {"every": 1, "fragments": 1, "delay": 0}, 1 / 2),
    ],
)
def test_what_goes_round_a_ring_is_a_share_of_ddp(
    strategy: str, stated: dict[str, object], share: float
) -> None:
    twin = twin_of(scenario_of(ring()))
    whole = in_one_step(twin, routes(twin), "ddp")
    moved = in_one_step(twin, routes(twin), strategy, **stated)
    for span, ways in moved.items():
        assert ways == pytest.approx([share * way for way in whole[span]])


def test_eight_bits_are_a_quarter_of_the_bytes_that_a_rank_sends() -> None:
    twin = twin_of(scenario_of(ring()))

    def sent(strategy: str) -> float:
        return sum(moved for it in of(twin, strategy) for a, _, moved in it.flows if a.ip == ip)

    ip = twin.graph.workers[0].ip
    assert sent("int8") == pytest.approx(sent("ddp") / 4, rel=0.01)


def test_top_k_sends_an_index_and_a_value_of_each_to_each() -> None:
    twin = twin_of(scenario_of(tiny()))
    moved = in_one_step(twin, routes(twin), "top-k", density=0.1)
    # 100,000 floats at 8 bytes each, a tenth of them.
    assert moved == {"west-east": pytest.approx([80_000 * WIRE] * 2)}


def test_powersgd_sends_all_of_the_first_two_steps() -> None:
    twin = twin_of(scenario_of(tiny()))
    whole = in_one_step(twin, routes(twin), "ddp")["west-east"][0]
    moved = [
        expected_run_bytes(twin, [(0, routes(twin))], of(twin, "powersgd"), range(steps))[
            "west-east"
        ][0]
        for steps in (1, 2, 3, 4)
    ]
    assert moved[:2] == pytest.approx([whole, 2 * whole])
    assert moved[3] - moved[2] == pytest.approx(moved[2] - moved[1])
    # Eight layers of 12,500 floats: a matrix of 111 x 111, two factors of which are
    # 2 x 111 x 4, and a vector of 179.
    assert moved[2] - moved[1] == pytest.approx(8 * (2 * 111 * 4 + 179) * 4 * WIRE)


def test_ranks_that_train_alone_send_at_times() -> None:
    twin = twin_of(scenario_of(tiny()))
    once = 400_000 * WIRE
    exchanges = of(twin, "diloco", every=5, half=False)
    for steps, times in ((4, 0), (5, 1), (9, 1), (10, 2), (23, 4)):
        moved = expected_run_bytes(twin, [(0, routes(twin))], exchanges, range(steps))
        assert moved["west-east"] == pytest.approx([times * once] * 2)
    halves = of(twin, "streaming-diloco", every=5, fragments=2, half=False)
    for steps, times in ((1, 0), (2, 1), (4, 1), (5, 2), (10, 4), (12, 5)):
        moved = expected_run_bytes(twin, [(0, routes(twin))], halves, range(steps))
        assert moved["west-east"] == pytest.approx([times * once / 2] * 2)


@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_exchanges_of_the_parts_of_a_run_add_up(every: int) -> None:
    for exchange in (Exchange([], 3, every), Exchange([], 0, every, end=8)):
        for middle in range(21):
            parts = exchange.times(0, middle) + exchange.times(middle, 20 + middle)
            assert parts == exchange.times(0, 20 + middle)


def test_messages_take_something_both_ways_besides_their_data() -> None:
    twin = twin_of(scenario_of(tiny()))
    slack = message_slack(twin, [(0, routes(twin))], of(twin, "ddp"), range(10))
    # Two buckets; a ring of two ranks sends four messages for each, and is sent as many.
    assert slack["west-east"] == pytest.approx([10 * 2 * 2 * 4 * MESSAGE_BYTES * WIRE] * 2)


def test_routes_may_change_during_a_run() -> None:
    twin = twin_of(scenario_of(ring()))
    direct, detour = routes(twin), routes(twin, avoiding="north-south")
    found = expected_run_bytes(twin, [(0, direct), (8, detour)], of(twin, "ddp"), range(10))
    before, after = (in_one_step(twin, it, "ddp") for it in (direct, detour))
    for span, ways in found.items():
        assert ways == pytest.approx(
            [8 * a + 2 * b for a, b in zip(before[span], after[span], strict=True)]
        )


def test_routes_count_from_the_first_step_that_they_carried() -> None:
    twin = twin_of(scenario_of(ring()))
    direct, around = routes(twin), routes(twin, avoiding="north-south")
    steps = system_steps(series([100.0] * 6), ranks=2)
    # Each step begins to communicate half-way: the third one at 250 ms.
    by_step = routes_by_step([(0, direct), (240 * MS, around), (260 * MS, direct)], steps)
    assert [step for step, _ in by_step] == [0, 2, 3]
    assert by_step[1][1] is around
    late = routes_by_step([(0, direct), (10_000 * MS, around)], steps)
    assert [step for step, _ in late] == [0, 6]


def test_a_step_in_which_routes_change_goes_either_way() -> None:
    twin = twin_of(scenario_of(ring()))
    direct, around = routes(twin), routes(twin, avoiding="north-south")
    slack = routing_slack(twin, [(0, direct), (9, around), (20, direct)], of(twin, "ddp"))
    once = in_one_step(twin, direct, "ddp")
    assert slack["north-south"] == pytest.approx([2 * moved for moved in once["north-south"]])
    assert routing_slack(twin, [(0, direct), (9, direct)], of(twin, "ddp"))["north-south"] == [
        0.0,
        0.0,
    ]


def test_a_flow_of_several_ways_takes_one_of_them() -> None:
    twin = twin_of(scenario_of(ring()))
    ways = routes(twin)
    assert not any(
        map(any, splitting_slack(twin, [(0, ways)], of(twin, "ddp"), range(10)).values())
    )
    per_edge = 2 * 5 / 6 * 1_000_000 * WIRE
    # The flow from south to north, a fourth of whose kind go around by the east.
    around = {"north-south": [0, 0.75], "south-east": [0.25, 0], "north-east": [0, 0.25]}
    ways["south-w1"]["north-w2"] = around
    expected = expected_run_bytes(twin, [(0, ways)], of(twin, "ddp"), range(10))
    slack = splitting_slack(twin, [(0, ways)], of(twin, "ddp"), range(10))
    assert expected["north-south"] == pytest.approx([0, 7.5 * per_edge])
    assert slack["north-south"] == pytest.approx([0, 7.5 * per_edge])
    assert expected["south-east"] == pytest.approx([2.5 * per_edge, 10 * per_edge])
    assert slack["south-east"] == pytest.approx([7.5 * per_edge, 0])


def test_what_a_campus_is_sent_enters_it_on_any_route() -> None:
    twin = twin_of(scenario_of(ring()))
    per_edge = 2 * 5 / 6 * 1_000_000 * WIRE
    least = expected_arrivals(twin, of(twin, "ddp"), range(10))
    assert least == pytest.approx(dict.fromkeys(("north", "south", "east"), 10 * per_edge))
    for ways in (routes(twin), routes(twin, avoiding="north-south")):
        moved = expected_run_bytes(twin, [(0, ways)], of(twin, "ddp"), range(10))
        for campus, entered in arrivals(twin.graph, moved).items():
            assert entered >= 0.999 * least[campus]
    lost = {span: [0.0, 0.0] for span in twin.graph.spans}
    assert set(arrivals(twin.graph, lost).values()) == {0.0}


def test_a_pipeline_sends_activations_and_gradients_along_its_stages() -> None:
    twin = twin_of(scenario_of(ring()))
    moved = in_one_step(twin, routes(twin), "pipeline", microbatches=4, activations=50_000)
    each = 2 * 4 * 50_000 * WIRE  # two pipelines side by side
    assert moved["north-south"] == pytest.approx([each, each])
    assert moved["south-east"] == pytest.approx([each, each])
    assert moved["north-east"] == [0.0, 0.0], "gradients stay inside"


def test_requests_go_to_every_other_campus_and_answers_come_back() -> None:
    twin = twin_of(scenario_of(ring()))
    stated = {"requests": 8, "request": 1000, "response": 5000}
    moved = in_one_step(twin, routes(twin), "serving", **stated)
    # Two ranks at each end send four requests each to the other end.
    each = 2 * 4 * (1000 + 5000) * WIRE
    assert moved == {span: [pytest.approx(each)] * 2 for span in twin.graph.spans}


def test_workers_push_to_the_first_and_pull_as_much() -> None:
    twin = twin_of(scenario_of(ring()))
    moved = in_one_step(twin, routes(twin), "async-ps")
    each = 2 * 1_000_000 * WIRE
    assert moved["north-south"] == pytest.approx([each, each])
    assert moved["north-east"] == pytest.approx([each, each])
    assert moved["south-east"] == [0.0, 0.0]
