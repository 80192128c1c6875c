"""A sweep goes on where it stopped, whatever stopped it, and never mixes two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from experiments import durable
from experiments.errors import RunFailed
from experiments.sweep import store
from experiments.sweep.conduct import Swept, sweep
from experiments.sweep.ended import Ended
from tests.fakes.sweeps import DELAY, LOSS, Made, Nobody, write_sweep
from topologies.files import FileError


def conduct(folder: Path, executor: Made, again: bool = False, **changes: Any) -> Swept:
    source = write_sweep(folder, **changes)
    return sweep(source, executor, Nobody(), folder / "out", again=again)


def rows(folder: Path, question: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as database:
        table = database.read_parquet(str(folder / "out" / "points.parquet"))
        found = table.query("points", question)
        assert found is not None
        return found.fetchall()


def test_every_point_runs_once_and_has_rows(tmp_path: Path) -> None:
    executor = Made()
    swept = conduct(tmp_path, executor)
    assert executor.ran == [0, 1, 2, 3, 4, 5]
    assert (len(swept.ended), swept.failed) == (6, [])
    found = rows(
        tmp_path,
        "select point, delay, delay_ns, loss, phase, coherence, status, folder, seed from points",
    )
    assert len(found) == 12, "two phases each"
    assert found[0] == (0, "1 ms", 1_000_000, 0.0, "aged", 0.25, "finished", "00000-0", 3)
    assert found[-1][:5] == (5, "10 ms", 10_000_000, 0.01, "west-east upgraded")


def test_only_what_is_wanted_is_kept_of_a_run(tmp_path: Path) -> None:
    conduct(tmp_path, Made(fail=[1]))
    names = {path.name for path in (tmp_path / "out" / "points" / "00000-0").iterdir()}
    assert {"result.json", "manifest.json", "steps.parquet"} <= names
    assert not names & {"report.html", "trace.json", "steps.jsonl", "logs"}
    assert (tmp_path / "out" / "points" / "00001-0" / "logs").is_dir()


def test_all_is_kept_of_a_run_where_that_is_asked(tmp_path: Path) -> None:
    conduct(tmp_path, Made(), keep="all", vary={LOSS: [0]})
    names = {path.name for path in (tmp_path / "out" / "points" / "00000-0").iterdir()}
    assert {"report.html", "trace.json", "steps.jsonl", "logs"} <= names


def test_what_ended_never_runs_again_and_what_was_torn_does(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        conduct(tmp_path, Made(torn=3))
    assert rows(tmp_path, "select count(distinct point) from points") == [(3,)]
    executor = Made()
    assert len(conduct(tmp_path, executor).ended) == 6
    assert executor.ran == [3, 4, 5]
    assert conduct(tmp_path, none := Made()).failed == []
    assert none.ran == []


def test_a_run_that_ended_before_the_ledger_was_told_is_taken_in(tmp_path: Path) -> None:
    conduct(tmp_path, Made())
    ledger = tmp_path / "out" / store.LEDGER
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:4]) + lines[4][:25])
    swept = conduct(tmp_path, executor := Made())
    assert executor.ran == [], "their results were whole"
    assert (swept.ended[4].seconds, swept.ended[3].seconds) == (None, 1.5)
    assert len(ledger.read_bytes().splitlines()) == 6


@pytest.mark.parametrize("at", [0, 3], ids=["first line", "in the middle"])
def test_a_ledger_is_believed_up_to_its_first_fault(tmp_path: Path, at: int) -> None:
    conduct(tmp_path, Made())
    out = tmp_path / "out"
    lines = (out / store.LEDGER).read_bytes().splitlines(keepends=True)
    lines[at] = b"\0" * 40 + b"\n"
    (out / store.LEDGER).write_bytes(b"".join(lines))
    (out / "points" / "00005-0" / "result.json").write_text('{"schema": 1, "sta')
    executor = Made()
    assert len(conduct(tmp_path, executor).ended) == 6
    assert executor.ran == [5]


def test_a_failure_is_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    swept = conduct(tmp_path, Made(fail=[1, 2]))
    assert [run.index for run in swept.failed] == [1, 2]
    told = swept.to_json()
    assert told["finished"] == 4
    assert told["failed"][0]["error"] == "rank 1 (east-w1) was killed by signal 9"
    assert rows(tmp_path, "select distinct verdict from points where status = 'failed'") == [
        ("invalid",)
    ]
    conduct(tmp_path, executor := Made())
    assert executor.ran == [], "a failure is an outcome"
    swept = conduct(tmp_path, executor, again=True)
    assert (executor.ran, swept.failed) == ([1, 2], [])
    assert rows(tmp_path, "select count(*) from points where status = 'failed'") == [(0,)]


def test_another_sweep_is_refused_with_the_difference(tmp_path: Path) -> None:
    conduct(tmp_path, Made())
    with pytest.raises(FileError) as refused:
        conduct(tmp_path, Made(), vary={DELAY: ["1 ms", "10 ms"], LOSS: [0, 0.001, 0.02]})
    lines = str(refused.value).splitlines()
    assert "name another folder with --out" in lines[0]
    assert {"-    - 0.01", "+    - 0.02"} <= set(lines)
    changed = json.loads((tmp_path / "sweep.yaml").read_text())["scenario"]
    changed["workload"]["gradients"] = "8 MB"
    with pytest.raises(FileError, match=r"\+    gradients: 8 MB"):
        conduct(tmp_path, Made(), scenario=changed)
    assert len(conduct(tmp_path, Made()).ended) == 6, "nothing was touched"


def test_the_same_sweep_written_otherwise_is_the_same(tmp_path: Path) -> None:
    conduct(tmp_path, Made())
    changed = json.loads((tmp_path / "sweep.yaml").read_text())["scenario"]
    changed["workload"]["strategy"] = {"name": "ddp"}
    changed["network"]["congestion_control"] = "reno"
    conduct(tmp_path, executor := Made(), scenario=changed, repetitions=1, design="grid")
    assert executor.ran == []


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("x")
    with pytest.raises(FileError, match="is not empty and no sweep's"):
        conduct(tmp_path, Made())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["precious"]
    with pytest.raises(FileError, match="cannot be a sweep's folder"):
        sweep(tmp_path / "sweep.yaml", Made(), Nobody(), tmp_path / "out" / "precious" / "x")


def test_two_sweeps_never_work_on_one_folder(tmp_path: Path) -> None:
    class Meanwhile(Made):
        def run(self, *rest: Any) -> Any:
            with pytest.raises(FileError, match="another spanlab sweep is at work"):
                conduct(tmp_path, Made())
            return super().run(*rest)

    assert len(conduct(tmp_path, Meanwhile()).ended) == 6


def test_nothing_is_made_for_a_sweep_that_will_not_do(tmp_path: Path) -> None:
    with pytest.raises(FileError):
        conduct(tmp_path, Made(), vary={LOSS: [0, 2]})
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.yaml"]


def test_a_line_without_room_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "ledger"
    durable.append(path, "first")
    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OSError, match="No space"):
        durable.append(path, "second")
    with pytest.raises(OSError, match="No space"):
        durable.write(path, "other")
    assert path.read_bytes() == b"first\n"
    assert [it.name for it in tmp_path.iterdir()] == ["ledger"]


def test_a_full_disk_is_said_and_what_ended_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = durable.append

    def append(path: Path, line: str) -> None:
        if Ended.from_json(line).index == 2:
            raise OSError(28, "No space left on device")
        written(path, line)

    with monkeypatch.context() as patched:
        patched.setattr(durable, "append", append)
        with pytest.raises(RunFailed, match=r"No space left.*it goes on where it stopped"):
            conduct(tmp_path, Made())
    assert rows(tmp_path, "select count(distinct point) from points") == [(2,)]
    conduct(tmp_path, executor := Made())
    assert executor.ran == [3, 4, 5], "the third had left its result"
