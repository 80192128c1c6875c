"""Wishes put onto a scenario's timeline: checked as files are, and saved as one that loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments.autoscale import scaled
from experiments.cli import ROOT
from experiments.course import Course
from experiments.happenings import Happenings
from experiments.loading import settled_twin
from experiments.moments import soonest
from experiments.scenario import Scenario, load_scenario
from experiments.steering import ended, session_yaml, with_event, with_pause, words_of
from experiments.twin import Action, twin_of
from tests.fakes.scenarios import ring, scenario_of, tiny, write
from topologies.files import FileError
from topologies.linkstate import Loss

SPAN = "west-east"
BUNDLED = sorted((ROOT / "experiments" / "scenarios").glob("*.yaml"))
LONG = {"workload__steps": 60}


def long(**changes: Any) -> Scenario:
    return scenario_of(tiny(**{**LONG, **changes}))


@pytest.mark.parametrize("file", BUNDLED, ids=lambda file: file.stem)
def test_a_saved_scenario_is_the_same(file: Path, tmp_path: Path) -> None:
    scenario, twin = settled_twin(load_scenario(file))
    saved = tmp_path / "session.yaml"
    saved.write_text(session_yaml(scenario))
    again = load_scenario(saved)
    assert again == scenario
    assert twin_of(again) == twin_of(scenario)
    assert twin.graph == twin_of(again).graph


def test_scales_that_were_chosen_are_stated() -> None:
    scenario = scenario_of({**ring(), "emulate": "auto"})
    assert "emulate" in words_of(scenario) and words_of(scenario)["emulate"] == {}
    chosen, _ = settled_twin(scenario)
    assert set(words_of(chosen)["emulate"]) == {"bytes", "time"}
    assert words_of(scaled(scenario, *_scales(chosen))) == words_of(chosen)


def _scales(scenario: Scenario) -> tuple[Any, Any]:
    return scenario.emulate.bytes, scenario.emulate.time


@pytest.mark.parametrize(
    "event",
    [
        {"set": SPAN, "loss": 0.001, "delay": "5 ms"},
        {"set": SPAN, "rate": "50 Mbit/s", "queue": "1 MB", "jitter": "1 ms"},
        {"upgrade": SPAN, "with": "coherent-400g"},
        {"fail": SPAN, "for": "50 ms"},
        {"policy": "ecmp"},
        {"pause": "5 s"},
        {"strategy": "diloco", "every": 2},
        {"strategy": {"name": "local-sgd", "every": 4}},
        {"strategy": "hierarchical"},
    ],
    ids=lambda event: next(iter(event)),
)
def test_a_session_with_a_wish_loads_and_has_the_same_twin(
    event: dict[str, Any], tmp_path: Path
) -> None:
    before = {"at": "step 9", "fail": SPAN, "for": "50 ms"}
    scenario = with_event(long(timeline=[before]), event, 20)
    assert [it.at for it in scenario.timeline] == [9, 20]
    saved = tmp_path / "session.yaml"
    saved.write_text(session_yaml(scenario))
    assert twin_of(load_scenario(saved)) == twin_of(scenario)
    assert words_of(load_scenario(saved)) == words_of(scenario)


def test_jitter_that_is_set_to_nothing_is_gone() -> None:
    scenario = with_event(long(timeline=[]), {"set": SPAN, "jitter": "1 ms"}, 20)
    scenario = with_event(scenario, {"set": SPAN, "jitter": "0 ms"}, 22)
    some, none = [change.emulated.forward.jitter for change in twin_of(scenario).changes[-2:]]
    assert some and some.deviation_ns == 1_000_000
    assert none is None


def test_a_session_is_written_as_people_write() -> None:
    wished: list[dict[str, Any]] = [
        {"set": SPAN, "loss": 0.001, "jitter": "1 ms", "queue": "1 MB"},
        {"strategy": "hierarchical"},
    ]
    scenario = long(timeline=[])
    for event in wished:
        scenario = with_event(scenario, event, 20)
    assert words_of(scenario)["timeline"] == [{"at": "step 20", **event} for event in wished]


def test_wishes_before_one_step_stand_in_their_order() -> None:
    scenario = with_event(long(), {"set": SPAN, "loss": 0.1}, 20)
    scenario = with_event(scenario, {"set": SPAN, "delay": "9 ms"}, 20)
    scenario = with_event(scenario, {"set": SPAN, "loss": 0}, 20)
    states = [change.emulated.forward for change in twin_of(scenario).changes[-3:]]
    assert [state.loss for state in states] == [Loss(0.1), Loss(0.1), Loss()]
    assert [state.delay_ns for state in states[1:]] == [9_000_000] * 2


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"set": SPAN}, "timeline.1: set needs one or more of rate, delay"),
        ({"set": SPAN, "delay": "5"}, "timeline.1.delay: '5' is not a duration"),
        ({"set": "west-eats", "loss": 0.1}, 'did you mean "west-east"?'),
        ({"set": SPAN, "loss": 1.5}, "timeline.1.loss"),
        ({"upgrade": SPAN, "with": "nope"}, 'timeline.1.with: unknown upgrade "nope"'),
        ({"fail": SPAN, "delay": "1 ms"}, '"delay" does not belong to fail'),
        ({"at": "step 3", "policy": "ecmp"}, "a wish says no moment"),
        ({"pause": True}, "timeline.1.pause"),
        ({"strategy": "pipeline"}, "pipeline cannot"),
        ({"strategy": "top-k"}, "top-k cannot go on from another or hand on to it"),
        ({"strategy": "diloco", "every": 40}, "timeline.1.strategy.every: ranks would not meet"),
        ({"strategy": "diloco", "evry": 2}, "timeline.1.strategy.evry: unknown key"),
        ({"leave": "west"}, "workload.strategy: ddp cannot run from step 20 on"),
        ({"join": "west"}, "takes part already"),
        ({}, "says one of"),
        ({"policy": "ecmp", "kill": "west-w1"}, "says one of"),
    ],
)
def test_a_wish_is_refused_as_a_file_would_be(event: dict[str, Any], said: str) -> None:
    with pytest.raises(FileError) as refusal:
        with_event(long(), event, 20)
    assert said in str(refusal.value)
    assert not str(refusal.value).startswith(":")


def test_nobody_joins_who_was_there_from_the_start() -> None:
    three = ring(steps=60)
    with pytest.raises(FileError, match=r"timeline.0.join: east takes part already"):
        with_event(scenario_of(three), {"join": "east"}, 20)
    left = with_event(scenario_of(three), {"leave": "east"}, 20)
    both = with_event(left, {"join": "east"}, 30)
    assert [move.kind for move in twin_of(both).moves] == ["leave", "join"]


def test_a_pause_is_saved_with_the_time_that_it_took() -> None:
    scenario = with_event(long(emulate={"bytes": "1/10", "time": 4}), {"pause": "0 s"}, 20)
    paused = with_pause(scenario, 0, 1_250_000_000)
    assert words_of(paused)["timeline"][1] == {"at": "step 20", "pause": "1250 ms"}
    assert twin_of(paused).pauses[0].lasts_ns == 5_000_000_000


def test_a_session_that_ends_early_forgets_what_was_to_come() -> None:
    scenario = with_event(long(), {"set": SPAN, "loss": 0.1}, 30)
    short = ended(scenario, 25)
    assert (short.workload.steps, [it.at for it in short.timeline]) == (25, [9])
    with pytest.raises(FileError, match="must be more than reference_steps"):
        ended(scenario, 3)


@pytest.mark.parametrize("strategy", ["async-ps", "serving"])
def test_what_counts_its_steps_can_neither_pause_nor_end_early(strategy: str) -> None:
    options = {"requests": 4, "request": "400 B", "response": "4 kB"}
    stated = {"name": strategy, **(options if strategy == "serving" else {})}
    scenario = long(workload__strategy=stated)
    with pytest.raises(FileError, match="cannot be paused: its"):
        with_event(scenario, {"pause": "1 s"}, 20)
    with pytest.raises(FileError, match="cannot end before its last step"):
        ended(scenario, 20)


def test_nothing_but_a_pause_comes_while_a_reference_is_measured() -> None:
    scenario = with_event(long(), {"strategy": "diloco", "every": 2}, 20)
    events, reference = scenario.timeline, scenario.workload.reference_steps
    assert [soonest(events, reference, step) for step in (1, 4, 5, 19)] == [5, 5, 5, 19]
    assert [soonest(events, reference, step) for step in (20, 22, 24, 25)] == [25, 25, 25, 25]
    assert soonest(events, reference, 22, pauses=True) == 22
    for step in (20, 22, 24):
        with pytest.raises(FileError, match=r"timeline.2.at: step .* must lie after step 24"):
            with_event(scenario, {"policy": "ecmp"}, step)
    with_event(scenario, {"pause": "1 s"}, 22)
    with pytest.raises(FileError, match=r"make workload.steps 63 or more"):
        with_event(long(), {"strategy": "diloco", "every": 2}, 58)


def test_spans_are_a_campus_s_while_another_strategy_has_its_reference() -> None:
    scenario = with_event(long(), {"set": SPAN, "loss": 0.01}, 15)
    twin = twin_of(with_event(scenario, {"strategy": "diloco", "every": 2}, 20))
    *_, told, reference, back = twin.changes
    assert (reference.step, reference.emulated) == (20, twin.reference)
    assert reference.phase == "reference of diloco"
    assert (back.step, back.emulated) == (24, told.emulated)
    assert twin.final[SPAN] == told.emulated
    assert [twin.strategy_at(step).name for step in (0, 19, 20, 59)] == ["ddp"] * 2 + ["diloco"] * 2


def test_a_span_that_is_down_stays_so_when_it_is_set() -> None:
    scenario = with_event(long(), {"fail": SPAN}, 20)
    scenario = with_event(scenario, {"set": SPAN, "delay": "9 ms"}, 22)
    twin = twin_of(with_event(scenario, {"restore": SPAN}, 24))
    failed, told, restored = twin.changes[-3:]
    assert not failed.emulated.forward.up and not told.emulated.forward.up
    assert restored.emulated.forward.up
    assert restored.emulated.forward.delay_ns == 9_000_000


def kinds(due: list[Happenings]) -> list[list[str]]:
    return [[it.kind for it in together] for together in due]


def test_a_course_makes_everything_once_whatever_is_wished_meanwhile() -> None:
    scenario = long()
    course = Course(scenario, twin_of(scenario))
    assert kinds(course.due(3)) == []
    assert kinds(course.due(4)) == [["age"]]
    for event in ({"policy": "ecmp"}, {"set": SPAN, "loss": 0.1}, {"policy": "ecmp"}):
        changed = with_event(course.scenario, event, 7)
        course.change(changed, twin_of(changed))
        assert kinds(course.due(6)) == []
    assert kinds(course.due(7)) == [["set", "policy", "policy"]]
    changed = with_event(course.scenario, {"set": SPAN, "loss": 0.2}, 7)
    course.change(changed, twin_of(changed))
    ((again,),) = course.due(7)
    assert not isinstance(again, Action) and again.emulated.forward.loss == Loss(0.2)
    assert kinds(course.due(13)) == [["upgrade"]]
    assert course.due(59) == []


def test_several_events_before_one_step_stand_in_a_file_too(tmp_path: Path) -> None:
    both = [
        {"at": "step 9", "upgrade": SPAN, "with": "coherent-400g"},
        {"at": "step 9", "policy": "ecmp"},
    ]
    assert len(load_scenario(write(tmp_path, tiny(timeline=both))).timeline) == 2
    with pytest.raises(FileError, match=r"timeline.1.at: step 8 must not come after step 9"):
        load_scenario(write(tmp_path, tiny(timeline=[both[0], {**both[1], "at": "step 8"}])))
