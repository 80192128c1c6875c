"""What dashboards write, and what a run makes of it: whole lines, one answer each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.course import Course
from experiments.fidelity import check_replicas
from experiments.live import Live
from experiments.manifest import start_of
from experiments.record import Record
from experiments.scenario import load_scenario
from experiments.steering import with_event
from experiments.twin import twin_of
from experiments.wishes import FILE, MAX_LINE_BYTES, Wishes, wish_of
from tests.fakes.scenarios import scenario_of, tiny

EVENT = {"set": "west-east", "loss": 0.1}


class Watcher:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def begin(self, steps: int) -> None:
        self.told.append(steps)

    def stage(self, text: str) -> None:
        self.told.append(text)

    def step(self, step: int, phase: str, step_ms: float, coherence: float | None) -> None:
        self.told.append((step, phase, step_ms, coherence))


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    record = Record(tmp_path / "run")
    yield record
    record.close()


def lines(record: Record, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (record.folder / name).read_text().splitlines()]


def line(wish: dict[str, Any]) -> bytes:
    return json.dumps(wish).encode() + b"\n"


def test_whole_lines_are_read_once(tmp_path: Path) -> None:
    wishes = Wishes(tmp_path)
    assert list(wishes.new()) == []
    with (tmp_path / FILE).open("ab", buffering=0) as file:
        first, second = line({"id": "a", "event": EVENT}), line({"id": "b", "event": EVENT})
        file.write(first + second[:5])
        assert [wish.id for wish in wishes.new()] == ["a"]
        assert list(wishes.new()) == []
        file.write(second[5:])
        assert [(wish.id, wish.event) for wish in wishes.new()] == [("b", EVENT)]


def test_a_file_that_is_taken_away_is_missed_by_nobody(tmp_path: Path) -> None:
    wishes = Wishes(tmp_path)
    (tmp_path / FILE).unlink()
    assert list(wishes.new()) == []
    (tmp_path / FILE).write_bytes(line({"id": "a", "event": EVENT}))
    assert [wish.id for wish in wishes.new()] == ["a"]


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"[]", b"7", b'{"id": 3, "event": {}}', b'{"id": "", "event": {}}',
        b'{"id": "a"}', b'{"id": "a", "event": []}', b'{"id": "a", "event": {}, "more": 1}',
        b"\xff\xfe", b'{"id": "' + b"a" * 65 + b'", "event": {}}', b"[" * 9000,
    ],
)  # fmt: skip
def test_what_is_no_wish_is_told_what_one_is(text: bytes) -> None:
    fault = wish_of(text).fault
    assert fault and '{"id": "some text", "event": {...}}' in fault


def test_a_line_without_end_is_refused_and_the_next_one_heard(tmp_path: Path) -> None:
    wishes = Wishes(tmp_path)
    with (tmp_path / FILE).open("ab", buffering=0) as file:
        file.write(b"x" * (3 * MAX_LINE_BYTES) + b"\n" + line({"id": "b", "event": EVENT}))
    found = [wish for _ in range(6) for wish in wishes.new()]
    assert [(wish.id, bool(wish.fault)) for wish in found] == [("", True), ("b", False)]


def test_what_goes_on_is_told_to_both(record: Record) -> None:
    watcher = Watcher()
    live = Live(watcher, record, [check_replicas(0)])
    live.begin(20)
    live.stage("training")
    live.step(3, "aged", 12.34567, None)
    live.step(4, "aged", 12.0, 0.54321)
    live.judge(lambda: [check_replicas(2)])
    live.judge(lambda: [check_replicas(2)])
    assert watcher.told == [20, "training", (3, "aged", 12.34567, None), (4, "aged", 12.0, 0.54321)]
    stage, first, second, verdict = lines(record, "live.jsonl")
    assert (stage["kind"], stage["text"]) == ("stage", "training")
    assert (first["step_ms"], first["coherence"]) == (12.346, None)
    assert (second["step"], second["coherence"]) == (4, 0.5432)
    assert verdict["verdict"] == "invalid"
    assert len(verdict["reasons"]) == 1
    assert all(it["t_s"] >= 0 and it["at_ns"] > 0 for it in (stage, first, second, verdict))


def test_each_wish_is_answered_by_its_id(record: Record) -> None:
    live = Live(Watcher(), record)
    with (record.folder / FILE).open("ab", buffering=0) as file:
        for name in ("a", "b"):
            file.write(line({"id": name, "event": EVENT}))
        file.write(b"nonsense\n")
    heard = live.wishes()
    live.grant(next(heard), 31)
    live.refuse(next(heard), "no")
    assert list(heard) == []
    granted, refused, nonsense = lines(record, "events.jsonl")
    assert (granted["kind"], granted["id"]) == ("wish", "a")
    assert (granted["at"], granted["event"]) == ("step 31", EVENT)
    assert (refused["kind"], refused["id"], refused["reason"]) == ("wish refused", "b", "no")
    assert (nonsense["id"], nonsense["kind"]) == ("", "wish refused")


@pytest.mark.parametrize(("status", "steps"), [("finished", 60), ("interrupted", 30)])
def test_the_session_is_saved_and_what_comes_late_refused(
    record: Record, status: str, steps: int
) -> None:
    live = Live(Watcher(), record)
    scenario = with_event(scenario_of(tiny(workload__steps=60)), EVENT, 20)
    course = Course(scenario, twin_of(scenario))
    course.next_step = 30
    (record.folder / FILE).write_bytes(line({"id": "late", "event": EVENT}))
    live.close(course, status)
    (refused,) = lines(record, "events.jsonl")
    assert (refused["id"], refused["reason"]) == ("late", "training is over")
    saved = load_scenario(record.folder / "session.yaml")
    assert saved.workload.steps == steps
    assert saved.timeline == scenario.timeline


def test_a_run_that_was_stopped_in_its_reference_says_that_nothing_was_saved(
    record: Record,
) -> None:
    scenario = scenario_of(tiny())
    Live(Watcher(), record).close(Course(scenario, twin_of(scenario)), "interrupted")
    (event,) = lines(record, "events.jsonl")
    assert event["kind"] == "session not saved"
    assert not (record.folder / "session.yaml").exists()


def test_when_a_process_began_is_known() -> None:
    import os

    own, parent = start_of(os.getpid()), start_of(os.getppid())
    assert own and parent and parent <= own
    assert start_of(2**22 + 1) is None
