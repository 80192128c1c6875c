"""What a run leaves: whole lines while it goes on, whole files when it ends."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from experiments.record import Record, default_folder
from tests.fakes.runs import FakeRun
from topologies.files import FileError


@pytest.mark.parametrize("made", [True, False], ids=["empty folder", "new folder"])
def test_a_run_folder_is_new_or_empty(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "a" / "run"
    if made:
        folder.mkdir(parents=True)
    Record(folder).close()
    assert folder.joinpath("logs").is_dir()


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    tmp_path.joinpath("precious").write_text("x")
    with pytest.raises(FileError, match="is not empty; --out must name a new or empty folder"):
        Record(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
    with pytest.raises(FileError, match="cannot be made the run folder"):
        Record(tmp_path / "precious")
    with pytest.raises(FileError, match="cannot be made the run folder"):
        Record(tmp_path / "precious" / "run")


def test_lines_can_be_read_while_the_run_goes_on(tmp_path: Path) -> None:
    record = Record(tmp_path / "run")
    event = record.event("network up", at_ns=record.origin_ns + 1_500_000_000, step=3)
    record.step({"step": 0, "rank": 1})
    assert event == {
        "t_s": 1.5,
        "at_ns": record.origin_ns + 1_500_000_000,
        "kind": "network up",
        "step": 3,
    }
    assert json.loads(record.folder.joinpath("events.jsonl").read_text()) == event
    assert json.loads(record.folder.joinpath("steps.jsonl").read_text()) == {"step": 0, "rank": 1}
    record.close()


def test_events_have_one_clock(tmp_path: Path) -> None:
    record = Record(tmp_path / "run")
    times = [record.event(kind)["t_s"] for kind in "abc"]
    assert times == sorted(times)
    assert 0 <= times[0] < 5
    record.close()


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record(tmp_path / "run")
    record.write("result.json", {"schema": 1})

    def fails(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OSError, match="No space"):
        record.write("result.json", {"schema": 2})
    assert json.loads(record.folder.joinpath("result.json").read_text()) == {"schema": 1}
    record.close()


def test_parquet_holds_the_lines(tmp_path: Path) -> None:
    run = FakeRun(tmp_path / "run")
    for at_ns in range(3):
        run.record.sample({"at_ns": at_ns, "span": "west-east", "direction": "forward", "bytes": 9})
    run.record.to_parquet()
    run.record.close()
    folder = run.record.folder
    with duckdb.connect() as database:
        count, last = database.sql(
            f"SELECT count(*), max(step) FROM '{folder / 'steps.parquet'}' WHERE rank = 1"
        ).fetchall()[0]
        columns = database.sql(f"SELECT * FROM '{folder / 'spans.parquet'}'").columns
        waits = database.sql(f"SELECT wait_ns FROM '{folder / 'steps.parquet'}'").fetchall()
    assert (count, last) == (14, 13)
    assert waits == [(0,)] * 28  # ranks of a made-up run are alike
    assert columns == ["at_ns", "span", "direction", "bytes"]
    assert not [path for path in folder.iterdir() if path.name.endswith(".part")]


@pytest.mark.parametrize("begun", [False, True], ids=["nothing", "its file begun"])
def test_a_run_without_a_step_has_no_parquet_to_fail_on(tmp_path: Path, begun: bool) -> None:
    record = Record(tmp_path / "run")
    if begun:
        (record.folder / "steps.jsonl").touch()
    record.to_parquet()
    record.close()
    assert not list(record.folder.glob("*.parquet"))


def test_the_default_folder_is_named_after_scenario_time_and_run() -> None:
    folder = default_folder("tiny", "abc123")
    assert folder.parent == Path("runs")
    name, day, time, run = folder.name.rsplit("-", 3)
    assert (name, run) == ("tiny", "abc123")
    assert len(day + time) == 14
