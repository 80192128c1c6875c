"""A crash or a full disk leaves a run absent, partial or complete, and readers say which."""

from __future__ import annotations

import errno
import json
from collections import Counter
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from experiments import durable
from experiments.dashboard.follow import Follower
from experiments.finished import read_run
from experiments.labs.evidence import runs_below
from experiments.manifest import manifest_of
from experiments.outcome import Outcome, finish
from experiments.record import Record
from experiments.runstate import State, state_of
from experiments.sweep import query
from experiments.sweep.conduct import sweep
from experiments.twin import twin_of
from tests.fakes import runs
from tests.fakes.disk import CRASHES, Contents, Journal, failing_at, lay_out, recording
from tests.fakes.runs import MACHINE, FakeRun
from tests.fakes.scenarios import scenario_of, tiny
from tests.fakes.sweeps import LOSS, Made, Nobody, write_sweep
from topologies.files import FileError

FOLDER = "runs/tiny"
STATES: tuple[State, ...] = ("absent", "partial", "complete")
FINAL: dict[State, str] = {"absent": "starting", "partial": "died", "complete": "finished"}


def leave_run(folder: Path, *, pages: bool = False) -> None:
    """Leave the folder of a run, written by what writes them all, in the order of a real one."""

    class Begun(Record):
        def __init__(self, folder: Path) -> None:
            super().__init__(folder, pages=pages)
            self.write("manifest.json", manifest())

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runs, "Record", Begun)
        run = FakeRun(folder)
    for at_ns in range(3):
        of = {"span": "west-east", "direction": "forward", "bytes": 9, "delivered_bytes": 9}
        run.record.sample({"at_ns": at_ns, **of})
    run.record.logs.joinpath("rank-0.log").write_text("ready")
    finish(run.scenario, run.twin, MACHINE, "made-up", run.record, Outcome(session=run.session))


@cache
def manifest() -> dict[str, Any]:
    """Return the manifest of a run whose process is long dead."""
    scenario = scenario_of(tiny())
    made = manifest_of(scenario, Path("lab.yaml"), "made-up", twin_of(scenario), MACHINE)
    return {**made, "pid": 1, "pid_start": -1}


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Journal:
    root = tmp_path_factory.mktemp("disk")
    with recording(root) as journal:
        leave_run(root / FOLDER)
    return journal


def told(folder: Path) -> State:
    """Hold the readers that a run's own end concerns against each other; return what they say."""
    state = state_of(folder)
    if state == "complete":
        run = read_run(folder)
        assert len(run.steps) == 14
        assert run.result["status"] == "finished"
        assert len(durable.read_lines(folder / "steps.jsonl")) == 28
        assert len(durable.read_lines(folder / "spans.jsonl")) == 3
    else:
        with pytest.raises(FileError, match=rf"{folder}: holds no result.json: .") as refused:
            read_run(folder)
        assert ("./spanlab dashboard" in str(refused.value)) == (state == "partial")
    return state


def told_by_all(folder: Path) -> None:
    """Hold all other readers against that."""
    state = state_of(folder)
    follower = Follower(folder)
    follower.poll()
    assert follower.condition.state == FINAL[state]
    found, aside = runs_below(folder.parent, "tiny")
    assert (len(found), len(aside)) == (state == "complete", state == "partial")
    if state == "complete":
        answer = query.ask("select count(*) from points")
        assert (answer.rows, answer.aside) == ([(2,)], [])
    else:
        with pytest.raises(FileError, match="holds no table of a sweep"):
            query.ask("select count(*) from points")


def test_a_crash_leaves_a_run_absent_partial_or_complete(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where queries look for runs
    whole = journal.ends()["killed"]
    counts: Counter[tuple[str, State]] = Counter()
    far, seen = dict.fromkeys(CRASHES, 0), set[Any]()
    for number, crash, left in journal.crashes():
        lay_out(left, tmp_path)
        state = told(Path(FOLDER))
        counts[crash, state] += 1
        assert STATES.index(state) >= far[crash], f"{crash} after step {number}: it was further"
        far[crash] = STATES.index(state)
        for name in ("events", "steps", "spans"):
            hold_lines(f"{FOLDER}/{name}.jsonl", left, whole, killed=crash == "killed")
        if (names := (crash, tuple(left))) not in seen:
            seen.add(names)
            told_by_all(Path(FOLDER))
    assert {state for _, state in counts} == set(STATES)
    assert counts["killed", "partial"] > 40


def hold_lines(name: str, left: Contents, whole: Contents, *, killed: bool) -> None:
    """Check that what can be read of a file's lines is the first of them, whole ones of a kill."""
    content, lines = left.get(name) or b"", whole[name] or b""
    found = durable.read_lines(Path(name))
    assert found == [json.loads(line) for line in lines.splitlines()[: len(found)]]
    assert len(found) == content.count(b"\n") or not killed
    assert not killed or content[-1:] in (b"", b"\n")


def test_what_a_run_has_left_is_on_the_disk(journal: Journal, tmp_path: Path) -> None:
    for crash, left in journal.ends().items():
        lay_out(left, tmp_path)
        assert told(tmp_path / FOLDER) == "complete", crash


def test_a_crash_leaves_no_page_half_made(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with recording(tmp_path / "disk") as journal:
        leave_run(tmp_path / "disk" / "run", pages=True)
    names = {it for _, _, left in journal.crashes() for it in left}
    assert {"run/report.html", "run/trace.json"} <= names
    for number, crash, left in journal.crashes():
        for name, last in (("run/report.html", b"</html>"), ("run/trace.json", b"}\n")):
            if name in left:
                assert (left[name] or b"").endswith(last), f"{crash} after step {number}"


def test_a_crash_of_a_sweep_loses_nothing_that_had_ended(tmp_path: Path) -> None:
    """After each crash the same command goes on, and comes to the same end."""
    disk, again = tmp_path / "disk", tmp_path / "again"
    disk.mkdir()
    again.mkdir()
    source = write_sweep(tmp_path, vary={LOSS: [0, 0.01]})
    with recording(disk) as journal:
        sweep(source, Made(), Nobody(), disk / "swept")
    for crash, left in journal.ends().items():
        lay_out(left, again)
        table = again / "swept" / "points.parquet"
        assert table.read_bytes() == (disk / "swept" / "points.parquet").read_bytes()
        sweep(source, executor := Made(), Nobody(), again / "swept")
        assert executor.ran == [], crash
    ended_before = dict.fromkeys(CRASHES, 0)
    seen = set[Any]()
    for number, crash, left in journal.crashes():
        ledger = left.get("swept/ended.jsonl") or b""
        names = (crash, ledger, tuple(it for it in left if it.count("/") < 3))
        if names in seen:
            continue
        seen.add(names)
        lay_out(left, again)
        executor = Made()
        swept = sweep(source, executor, Nobody(), again / "swept")
        assert len(swept.ended) == 2, f"{crash} after step {number}"
        had = 2 - len(executor.ran)
        assert had >= ended_before[crash], f"{crash} after step {number}"
        ended_before[crash] = had
        assert not [it for it in again.rglob(".*") if it.name.endswith((".part", ".lines"))]


@pytest.mark.parametrize("kind", ["error", pytest.param("kill", marks=pytest.mark.thorough)])
def test_a_call_that_fails_leaves_a_run_that_readers_understand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Every call of the kernel that changes the disk fails once: no room, or the end of all."""
    monkeypatch.chdir(tmp_path)
    error = OSError(errno.ENOSPC, "No space left on device") if kind == "error" else Killed()
    at, states = 0, Counter[State]()
    while True:
        at += 1
        folder = Path(f"runs-{at}/tiny")
        with failing_at(at, error) as failing, suppress(OSError, FileError, Killed):
            leave_run(folder)
        states[told(folder)] += 1
        if kind == "error":
            assert not list(folder.glob(".*"))
        if failing.calls < at:
            break
    assert states["complete"] < 4 < states["absent"] < states["partial"]


class Killed(BaseException):
    """Passes through everything that handles errors."""


def test_what_is_replaced_is_old_or_new_after_any_crash(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with recording(tmp_path) as journal:
        durable.write(tmp_path / "file", "new and longer")
    assert {left["file"] for _, _, left in journal.crashes()} == {b"old", b"new and longer"}


def test_an_appended_line_is_there_or_not_after_any_crash(tmp_path: Path) -> None:
    with recording(tmp_path) as journal:
        durable.append(tmp_path / "ledger", '{"a": 1}')
        durable.append(tmp_path / "ledger", '{"b": 2}')
    counts = set[int]()
    for _, crash, left in journal.crashes():
        (tmp_path / "found").write_bytes(left.get("ledger") or b"")
        lines = durable.read_lines(tmp_path / "found")
        assert lines == [{"a": 1}, {"b": 2}][: len(lines)], crash
        counts.add(len(lines))
    assert counts == {0, 1, 2}
