"""``spanlab sweep`` as scripts and people meet it: exit codes, JSON alone, what failed where."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments import cli
from experiments.errors import BAD_INPUT, FAILED, NOT_FAITHFUL, Interrupted
from experiments.sweep import commands
from tests.fakes.sweeps import LOSS, Made, write_sweep

Said = tuple[int, str, str]


@pytest.fixture
def spanlab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Give a sweep to the command line, whose points are made up; return code and outputs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands.console, "width", 200)

    def spanlab(executor: Made, *options: str) -> Said:
        monkeypatch.setattr("experiments.sweep.executors.Here", lambda file, screen: executor)
        monkeypatch.setattr(sys, "argv", ["spanlab", "sweep", "sweep.yaml", *options])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        said = capsys.readouterr()
        return int(stopped.value.code or 0), said.out, said.err

    return spanlab


def test_a_sweep_that_finished_says_where_its_table_is(
    tmp_path: Path, spanlab: Callable[..., Said]
) -> None:
    write_sweep(tmp_path)
    code, out, _ = spanlab(Made())
    assert code == 0
    assert "6 of 6 runs finished" in out
    assert "table: runs/small/points.parquet" in out
    assert (tmp_path / "runs" / "small" / "points.parquet").is_file()


def test_failures_are_named_with_their_logs(tmp_path: Path, spanlab: Callable[..., Said]) -> None:
    write_sweep(tmp_path)
    code, out, _ = spanlab(Made(fail=[4]))
    assert code == FAILED
    assert "5 of 6 runs finished" in out
    assert f"point 4 (network.spans.*.delay 10 ms, {LOSS} 0.001)" in out
    assert "rank 1 (east-w1) was killed by signal 9 (runs/small/points/00004-0/logs)" in out
    code, out, _ = spanlab(Made(), "--retry-failed", "--json")
    assert (code, json.loads(out)["failed"]) == (0, [])


def test_strict_minds_what_is_not_faithful(tmp_path: Path, spanlab: Callable[..., Said]) -> None:
    write_sweep(tmp_path)
    doubtful = Made(doubt=[2])
    code, out, _ = spanlab(doubtful, "--json", "--strict")
    assert code == NOT_FAITHFUL
    assert json.loads(out)["not_faithful"] == ["00002-0"]
    code, out, _ = spanlab(doubtful)
    assert code == 0
    assert "1 were not faithful" in out


def test_what_was_interrupted_says_so_and_goes_on(
    tmp_path: Path, spanlab: Callable[..., Said]
) -> None:
    write_sweep(tmp_path)
    assert spanlab(Made(torn=2, by=Interrupted), "--json")[:2] == (FAILED, "")
    executor = Made()
    assert spanlab(executor)[0] == 0
    assert executor.ran == [2, 3, 4, 5]


def test_another_sweep_in_the_folder_is_bad_input(
    tmp_path: Path, spanlab: Callable[..., Said]
) -> None:
    write_sweep(tmp_path)
    assert spanlab(Made())[0] == 0
    write_sweep(tmp_path, repetitions=2)
    code, out, err = spanlab(Made())
    assert (code, out) == (BAD_INPUT, "")
    assert "-repetitions: 1\n+repetitions: 2" in err
