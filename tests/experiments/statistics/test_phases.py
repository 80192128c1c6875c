"""The figures of phases as scripts meet them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from experiments.coherence import SystemStep, steps_per_s, system_steps
from experiments.statistics.phases import (
    coherence_interval,
    period_of,
    recoveries,
    reference_steps,
    settled_part,
    step_times,
)
from tests.fakes.steps import series


def steps_of(durations_ms: list[float]) -> list[SystemStep]:
    return system_steps(series(durations_ms), ranks=2)


def test_the_reference_begins_after_its_warm_up() -> None:
    steps = steps_of([524.0, 490.0, *[457.0, 458.0] * 5])
    assert [step.step for step in reference_steps(steps, 1)] == list(range(2, 12))
    assert reference_steps(steps[:2], 1) == []


def test_the_first_step_of_a_run_is_warm_up_even_where_noise_hides_it() -> None:
    seen = [582, 527, 454, 474, 470, 803, 461, 528, 456, 482, 482, 460]  # of a run, in ms
    found = reference_steps(steps_of([float(ms) for ms in seen]), 1)
    assert found[0].step == 1, "the stall of the sixth step must not take the five before it along"


def test_a_reference_in_which_ranks_meet_once_a_period_has_whole_periods() -> None:
    meets = [100.0] * 9 + [400.0]
    steps = steps_of(meets + meets + meets[:5])
    assert [step.step for step in reference_steps(steps, 10)] == list(range(15, 25))
    assert steps_per_s(reference_steps(steps, 10)) == pytest.approx(1000 / 130)


def test_the_first_meeting_of_a_run_is_warm_up_where_another_follows() -> None:
    first, later = [400.0] * 9 + [1684.0], [400.0] * 9 + [560.0]  # as seen, in ms
    steps = steps_of([*first, *later, *later])
    assert [step.step for step in reference_steps(steps, 10)] == list(range(10, 30))
    assert [step.step for step in reference_steps(steps[:20], 10)] == list(range(10, 20))
    assert len(reference_steps(steps[:10], 10)) == 10, "all that there is"


def test_step_times_have_intervals_where_there_are_several_steps() -> None:
    times = step_times(steps_of([100, 110, 90, 105, 95, 100]), 0, 1)
    assert times["mean"] == times["p50"] == 100
    for interval in (times["mean_ci"], times["p50_ci"]):
        assert 80 < interval[0] < 100 < interval[1] < 120
    alone = step_times(steps_of([100]), 0, 1)
    assert (alone["mean"], alone["mean_ci"], alone["p50_ci"]) == (100, None, None)


def test_the_interval_of_coherence_holds_it_and_is_the_same_every_time() -> None:
    random = np.random.default_rng(5)
    for _ in range(20):
        reference = steps_of(list(100 + random.normal(0, 10, 20)))
        phase = steps_of(list(200 + random.normal(0, 20, 20)))
        low, high = coherence_interval(phase, reference)
        assert low < steps_per_s(phase) / steps_per_s(reference) < high
        assert coherence_interval(phase, reference) == (low, high)


def test_equal_steps_leave_nothing_uncertain() -> None:
    found = coherence_interval(steps_of([200.0] * 5), steps_of([100.0] * 5))
    assert found == pytest.approx((0.5, 0.5))


def test_one_step_is_taken_to_be_as_uneven_as_the_reference() -> None:
    reference = steps_of([90.0, 110.0] * 5)
    low, high = coherence_interval(steps_of([400.0]), reference)
    assert low < 0.25 < high
    many = coherence_interval(steps_of([360.0, 440.0] * 5), reference)
    assert high - low > 2 * (many[1] - many[0])


def test_coherence_of_a_phase_stands_beside_that_without_its_warm_up() -> None:
    reference = steps_of([100.0, 101.0] * 5)
    found = settled_part(steps_of([600.0, 300.0, *[200.0, 201.0] * 8]), reference, 1)
    assert found["warm_up_steps"] == 2
    settled = found["settled"]
    assert settled["coherence"] == pytest.approx(0.5, abs=0.002)
    assert settled["coherence_ci"][0] <= settled["coherence"] <= settled["coherence_ci"][1]
    assert settled["steps_per_s"] == pytest.approx(1000 / 200.5, abs=1e-3)


def test_strategies_that_meet_every_so_often_have_a_period() -> None:
    assert period_of({"every": 20, "inner_rate": 0.1}) == 20
    assert period_of({}) == 1


def event(kind: str, t_s: float, recovery_s: float | None, target: str = "a") -> dict[str, Any]:
    return {"kind": kind, "t_s": t_s, "recovery_s": recovery_s, "target": target}


def test_recovery_has_an_interval_over_several_events() -> None:
    found = recoveries(
        [
            event("age", 1.0, 0.5),
            event("age", 1.0, 0.5, target="b"),  # at the same moment: one event
            event("fail", 2.0, 1.0),
            event("fail", 3.0, 2.0),
            event("fail", 4.0, None),
        ]
    )
    assert found["age"] == {"events": 1, "recovered": 1, "mean_s": 0.5, "ci_s": None}
    fail = found["fail"]
    assert (fail["events"], fail["recovered"], fail["mean_s"]) == (3, 2, 1.5)
    assert fail["ci_s"][0] < 1.5 < fail["ci_s"][1]
    assert recoveries([event("fail", 1.0, None)])["fail"]["mean_s"] is None
