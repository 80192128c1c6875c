"""The arithmetic of the result, on records whose answer is known."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.coherence import (
    PhasePlan,
    SystemStep,
    classify,
    differing_steps,
    in_digits,
    recovery_s,
    step_ms,
    steps_of_phases,
    steps_per_s,
    system_steps,
)
from experiments.service import service
from tests.fakes.steps import MS, rank_step, series


def steps_of(durations_ms: list[float], begin_ms: float = 0.0) -> list[SystemStep]:
    return system_steps(series(durations_ms, begin_ms=begin_ms), ranks=2)


def test_a_step_ends_with_its_last_rank_and_lasts_from_the_end_before() -> None:
    records = [
        rank_step(0, 0, 100, rank=0, exposed_ms=10),
        rank_step(0, 5, 120, rank=1, communicates_ms=40, exposed_ms=30),
        rank_step(1, 100, 200, rank=0),
        rank_step(1, 120, 230, rank=1),
    ]
    first, second = system_steps(records, ranks=2)
    assert (first.start_ns, first.end_ns, first.duration_ns) == (0, 120 * MS, 120 * MS)
    assert first.first_communication_ns == 40 * MS
    assert first.exposed_communication_ns == 20 * MS
    assert second.duration_ns == 110 * MS


def test_the_order_in_which_ranks_report_does_not_matter() -> None:
    records = series([100, 150, 120], ranks=3)
    assert system_steps(records[::-1], 3) == system_steps(records, 3)


def test_steps_that_some_rank_did_not_finish_are_left_out() -> None:
    records = series([100, 100, 100])
    (missing,) = [r for r in records if (r["step"], r["rank"]) == (1, 1)]
    records.remove(missing)
    found = system_steps(records, ranks=2)
    assert [step.step for step in found] == [0, 2]
    assert found[1].duration_ns == 200 * MS, "no time of training is left out"


def test_ranks_that_hold_different_parts_are_compared_with_their_like() -> None:
    parts = ["stage 0", "stage 0", "stage 1", "stage 1"]
    records = [
        {**rank_step(0, 0, 1, rank=rank, digest=part), "among": part}
        for rank, part in enumerate(parts)
    ]
    assert system_steps(records, 4)[0].identical
    records[3]["hash"] = "another"
    assert not system_steps(records, 4)[0].identical


def test_staleness_is_the_mean_of_those_who_tell_it() -> None:
    records = [{**rank_step(0, 0, 1, rank=rank), "staleness": 2 * rank} for rank in range(3)]
    assert system_steps(records, 3)[0].staleness == 2
    assert steps_of([1])[0].staleness is None


def test_service_counts_all_requests_over_the_time_of_their_steps() -> None:
    records = series([1000, 1000])
    for index, record in enumerate(records):
        record["latencies_us"] = [1000 * (index + 1), 50_000]
    assert service(system_steps(records, 2)) == {
        "serving": {"requests_per_s": 4.0, "latency_ms": {"p50": 27.0, "p99": 50.0}}
    }
    assert service(steps_of([1])) == {}


def test_replicas_that_differ_are_seen() -> None:
    records = [rank_step(0, 0, 1, rank=0), rank_step(0, 0, 1, rank=1, digest="b")]
    assert not system_steps(records, 2)[0].identical
    assert all(step.identical for step in steps_of([1, 1]))


def test_a_step_belongs_to_the_phase_in_which_it_communicated() -> None:
    records = [
        rank_step(0, 0, 100, communicates_ms=60),
        rank_step(1, 100, 200, communicates_ms=160),  # began before the change, talked after it
        rank_step(2, 200, 300, communicates_ms=260),
    ]
    steps = system_steps(records, ranks=1)
    phases = [PhasePlan("reference", 0), PhasePlan("aged", 150 * MS)]
    reference, aged = steps_of_phases(steps, phases)
    assert [step.step for step in reference] == [0]
    assert [step.step for step in aged] == [1, 2]


def test_a_step_during_which_a_span_changed_belongs_to_none() -> None:
    records = [rank_step(n, n * 100, n * 100 + 100, communicates_ms=n * 100 + 20) for n in range(3)]
    phases = [PhasePlan("reference", 0), PhasePlan("aged", 150 * MS)]
    reference, aged = steps_of_phases(system_steps(records, 1), phases)
    assert [step.step for step in (*reference, *aged)] == [0, 2]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=30),
    st.lists(st.integers(0, 1500), max_size=4, unique=True),
)
def test_no_step_belongs_to_two_phases_and_each_lies_within_its_own(
    durations: list[int], begins: list[int]
) -> None:
    phases = [PhasePlan(str(begin), begin * MS) for begin in (0, *sorted(begins))]
    groups = steps_of_phases(steps_of([float(ms) for ms in durations]), phases)
    numbers = [step.step for group in groups for step in group]
    assert len(numbers) == len(set(numbers))
    ends = [*(phase.begin_ns for phase in phases[1:]), 2**63]
    for phase, end_ns, group in zip(phases, ends, groups, strict=True):
        for step in group:
            assert phase.begin_ns <= step.first_communication_ns <= step.end_ns <= end_ns


def test_no_phases_and_no_steps() -> None:
    assert steps_of_phases([], []) == []
    assert steps_of_phases([], [PhasePlan("reference", 0)]) == [[]]
    assert steps_of_phases(steps_of([10]), []) == []


def test_throughput_and_quantiles() -> None:
    steps = steps_of([100, 100, 200, 100])
    assert steps_per_s(steps) == pytest.approx(8.0)
    assert step_ms(steps)["p50"] == 100.0
    assert step_ms(steps)["p99"] == pytest.approx(197.0)


@pytest.mark.parametrize(
    ("coherence", "share", "name"),
    [
        (1.02, 1 / 3, "coherent"),
        (0.95, 1 / 3, "coherent"),
        (0.9499, 1 / 3, "degraded"),
        (0.5, 1 / 3, "degraded"),
        (0.4999, 1 / 3, "incoherent"),
        (0.6, 0.7, "incoherent"),  # the largest campus alone would be faster
        (0.7, 0.7, "degraded"),
        (0.96, 0.98, "incoherent"),
    ],
)
def test_classes(coherence: float, share: float, name: str) -> None:
    assert classify(coherence, share) == name


@pytest.mark.parametrize(
    ("coherence", "text"),
    [(0.967, "0.97"), (0.496, "0.496"), (0.5, "0.50"), (0.9499, "0.9499"), (1.004, "1.00")],
)
def test_no_coherence_is_shown_on_the_wrong_side_of_a_class(coherence: float, text: str) -> None:
    assert in_digits(coherence) == text


def test_recovery_ends_with_the_first_step_at_the_usual_pace() -> None:
    phase = steps_of([300, 180, 105, 100, 100, 100, 100], begin_ms=1000)
    assert recovery_s(phase, begin_ns=900 * MS) == pytest.approx(0.1 + 0.3 + 0.18 + 0.105)
    assert recovery_s(steps_of([100, 100], begin_ms=1000), 1000 * MS) == pytest.approx(0.1)
    assert recovery_s([], 0) is None


def test_ranks_that_train_alone_are_compared_when_they_say_so() -> None:
    records = series([100, 100, 100])
    for record in records[2:4]:
        record.update(hash=None, divergence=3.0 + record["rank"])
    records[4]["hash"] = None  # one of two
    steps = system_steps(records, ranks=2)
    assert [step.compared for step in steps] == [True, False, False]
    assert [step.identical for step in steps] == [True, True, False]
    assert differing_steps(steps, synchronous=False) == 1
    assert differing_steps(steps, synchronous=True) == 2
    assert [step.divergence for step in steps] == [None, pytest.approx(12.5**0.5), None]


def test_what_trains_while_a_change_is_made_belongs_to_no_phase() -> None:
    steps = system_steps(series([100.0] * 6, ranks=1), ranks=1)
    phases = [PhasePlan("reference", 0), PhasePlan("aged", 360 * MS, change_ns=150 * MS)]
    reference, aged = steps_of_phases(steps, phases)
    assert [step.step for step in reference] == [0]
    assert [step.step for step in aged] == [4, 5]
