"""Who trains from which step on, and which steps count."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.coherence import system_steps
from experiments.goodput import goodput, interruptions
from experiments.legs import Leg, Move, counted, leg_from, planned, within_reach
from experiments.session import LegRun
from tests.fakes.steps import MS, rank_step
from topologies.emulation.impairer import Counters

SITES = ["west", "west", "east", "east", "south"]


def test_without_moves_a_run_is_one_leg() -> None:
    assert leg_from(SITES, [], 0, 60) == Leg((0, 1, 2, 3, 4), 60)


def test_campuses_leave_and_join_again() -> None:
    moves = [Move(20, "leave", "east"), Move(40, "join", "east")]
    assert [planned(SITES, moves, step) for step in (0, 19, 20, 39, 40)] == [
        [0, 1, 2, 3, 4],
        [0, 1, 2, 3, 4],
        [0, 1, 4],
        [0, 1, 4],
        [0, 1, 2, 3, 4],
    ]
    assert [leg_from(SITES, moves, step, 60).end for step in (0, 20, 40)] == [20, 40, 60]


def test_who_joins_first_was_not_there_before() -> None:
    moves = [Move(20, "leave", "west"), Move(20, "join", "east")]
    assert planned(SITES, moves, 0) == [0, 1, 4]
    assert planned(SITES, moves, 20) == [2, 3, 4], "the workload has moved"


def test_what_was_lost_stays_away() -> None:
    assert leg_from(SITES, [Move(20, "leave", "east")], 10, 60, lost=[1]) == Leg((0, 2, 3, 4), 20)


@pytest.mark.parametrize(
    ("cut_off", "left"),
    [
        ([], [0, 1, 2, 3, 4]),
        ([("east", "west"), ("east", "south")], [0, 1, 4]),
        ([("south", "west"), ("east", "south")], [0, 1, 2, 3]),
        ([("west", "east"), ("west", "south"), ("south", "east")], [0, 1]),
    ],
)
def test_the_largest_group_within_reach_goes_on(
    cut_off: list[tuple[str, str]], left: list[int]
) -> None:
    assert within_reach(SITES, range(5), cut_off) == left


def test_nobody_is_within_reach_of_nobody() -> None:
    assert within_reach(SITES, [], []) == []


def leg_steps(leg: int, ranks: list[int], steps: range, begin_ms: float) -> list[dict[str, Any]]:
    """Return records of steps of 100 ms, of which 90 go into training."""
    return [
        {**rank_step(step, at, at + 90, rank=rank), "leg": leg}
        for step in steps
        for at in [begin_ms + 100 * (step - steps.start)]
        for rank in ranks
    ]


def test_a_step_counts_once_when_all_of_a_leg_first_finished_it() -> None:
    whole = leg_steps(0, [0, 1, 2], range(6), 0)
    torn = leg_steps(0, [0], range(6, 7), 600)
    again = leg_steps(1, [0, 1, 2], range(4, 8), 3000)
    found = counted([*whole, *torn, *again], [3, 3])
    assert [(it["step"], it["leg"]) for it in found if it["rank"] == 0] == [
        *((step, 0) for step in range(6)),
        (6, 1),
        (7, 1),
    ]
    steps = system_steps([*whole, *torn, *again], [3, 3])
    assert [step.step for step in steps] == list(range(8))
    assert steps[6].duration_ns == (3200 + 90 - 500 - 90) * MS, "all that came in between"


def test_what_an_interruption_cost() -> None:
    records = leg_steps(0, [0, 1, 2], range(6), 0)
    records += leg_steps(1, [0, 2], range(4, 8), 3000)
    steps = system_steps(records, [3, 2])
    spans = [{"a-b": (Counters(delivered_bytes=at), Counters(delivered_bytes=at))} for at in (5, 9)]
    legs = [
        LegRun((0, 1, 2), 0, 0, spans[0], spans[0], fault="rank 1 (east-w1) was killed"),
        LegRun((0, 2), 4, 2900 * MS, spans[1], state_bytes=700),
    ]
    (it,) = interruptions(legs, steps, origin_ns=0)
    assert it == {
        "t_s": 0.59,
        "step": 6,
        "cause": "rank 1 (east-w1) was killed",
        "workers": 2,
        "from_step": 4,
        "lost_steps": 2,
        "state_bytes": 700,
        "span_bytes": 8,
        "recovery_s": 2.7,
    }
    assert goodput(steps) == pytest.approx(8 * 90 / 3390, abs=1e-4)
    assert [step.ranks for step in steps] == [3] * 6 + [2] * 2


def test_steps_that_overlap_are_not_counted_twice() -> None:
    records = [rank_step(0, 0, 80), rank_step(0, 10, 100, rank=1)]
    records += [rank_step(1, 80, 190), rank_step(1, 100, 200, rank=1)]
    assert goodput(system_steps(records, 2)) == 1.0


def test_no_training_has_no_goodput() -> None:
    assert goodput([]) is None
    assert interruptions([], [], 0) == []
