"""Step time and coherence as training goes on."""

from __future__ import annotations

import pytest

from experiments.coherence import PhasePlan
from experiments.pace import Pace

MS = 10**6
REFERENCE = PhasePlan("reference", 0, reference=True)
AGED = PhasePlan("aged", 1)


def told(
    pace: Pace, begin_ms: float, steps_ms: list[float], phase: PhasePlan
) -> list[float | None]:
    found = []
    for step_ms in steps_ms:
        begin_ms += step_ms
        found.append(pace.after(int(begin_ms * MS), phase)[1])
    return found


def test_coherence_is_against_the_median_of_the_reference() -> None:
    pace = Pace()
    assert told(pace, 1000, [900, 100, 100, 110], REFERENCE) == [None] * 4
    assert told(pace, 2210, [200, 400], AGED) == [pytest.approx(0.5), pytest.approx(0.25)]


def test_a_pause_is_in_no_step() -> None:
    pace = Pace()
    told(pace, 0, [100, 100, 100], REFERENCE)
    pace.rest(60_000 * MS)
    assert pace.after(60_200 * MS, AGED) == (200, 0.5)


def test_where_ranks_meet_now_and_then_whole_periods_are_compared() -> None:
    pace = Pace()
    pace.train_by(3)
    told(pace, 0, [20, 20, 500, 20, 20, 50], REFERENCE)
    found = told(pace, 630, [20, 20, 140, 20, 20], AGED)
    assert found[:2] == [None, None], "no period is over"
    assert found[2:] == [pytest.approx(0.5)] * 3


def test_another_strategy_has_its_own_reference() -> None:
    pace = Pace()
    told(pace, 0, [100, 100, 100], REFERENCE)
    told(pace, 300, [200], AGED)
    told(pace, 500, [20, 20, 20], PhasePlan("reference of diloco", 2, reference=True))
    assert told(pace, 560, [40], PhasePlan("training by diloco", 3)) == [pytest.approx(0.5)]
