"""A sweep's folder: what was asked, a line for each run that ended, and the runs themselves.

Every file is either whole or not there: those that are replaced are renamed into place, and the
ledger grows by whole lines that have reached the disk. A run is finished once the ledger says so.
"""

from __future__ import annotations

import difflib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from experiments import durable
from experiments.sweep.ended import Ended, ended_well
from experiments.sweep.points import Point
from experiments.users import hand_to_user, make_folder
from topologies.files import FileError

ASKED, LEDGER, TABLE, RUNS = "sweep.yaml", "ended.jsonl", "points.parquet", "points"
DIFFERENCES = 40
"""Lines of a difference that are shown."""
LOCK = ".lock"
KEPT = (
    "manifest.json",
    "events.jsonl",
    "steps.parquet",
    "spans.parquet",
    "result.json",
)
"""What stays of a run folder under ``keep: results``; of a run that failed, its logs do, too."""


class Store:
    """A sweep's folder, opened for work.

    Attributes:
        folder: of the sweep.
        ended: what has ended, by index.
    """

    def __init__(self, folder: Path, asked: dict[str, Any]) -> None:
        """Make the folder, or open one in which the same was asked.

        Raises FileError where something else stands there, or another sweep, with the difference.
        """
        self.folder = folder
        self.ended: dict[int, Ended] = {}
        text = yaml.safe_dump(asked, sort_keys=False, allow_unicode=True, width=100)
        try:
            make_folder(folder)
            there = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
        except OSError as error:
            raise FileError(f"{folder}: cannot be a sweep's folder: {error.strerror}") from None
        if ASKED in there:
            _check_same(folder, (folder / ASKED).read_text(), text)
        elif there:
            raise FileError(f"{folder}: is not empty and no sweep's; --out must name another")
        else:
            durable.write(folder / ASKED, text)
        (folder / RUNS).mkdir(exist_ok=True)
        durable.settle(folder)

    @property
    def runs(self) -> Path:
        """Return the folder of the run folders."""
        return self.folder / RUNS

    def resume(self, points: Sequence[Point], keep: str) -> None:
        """Take in what has ended; remove what was torn, and a line that was not written whole."""
        ledger, whole = self.folder / LEDGER, 0
        lines = ledger.read_bytes().splitlines(keepends=True) if ledger.exists() else []
        for line in lines:
            run = _read(line)
            if run is None or not 0 <= run.index < len(points):
                break
            whole += len(line)
            self.ended[run.index] = run
        if whole < sum(map(len, lines)):
            _cut(ledger, whole)
        known = {ended.folder for ended in self.ended.values()}
        by_folder = {point.folder: point for point in points}
        for folder in sorted(self.runs.iterdir()):
            if folder.name in known:
                continue
            point = by_folder.get(folder.name)
            if point and (adopted := _adopted(point, folder)):
                self.add(adopted, keep)  # it ended just before the ledger was told
            else:
                shutil.rmtree(folder)

    def forget_failed(self) -> None:
        """Let what failed run again."""
        for run in [run for run in self.ended.values() if run.status != "finished"]:
            del self.ended[run.index]
            shutil.rmtree(self.runs / run.folder, ignore_errors=True)

    def add(self, run: Ended, keep: str) -> None:
        """Take in a run that has ended, whose folder is whole."""
        if keep == "results":
            prune(self.runs / run.folder, logs=run.status != "finished")
        durable.append(self.folder / LEDGER, run.to_json())
        self.ended[run.index] = run

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other sweeps off this folder; raises FileError when one is at work on it."""
        descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FileError(f"{self.folder}: another spanlab sweep is at work on it") from None
            try:
                yield
            finally:
                hand_to_user(self.folder)
        finally:
            os.close(descriptor)


def prune(folder: Path, *, logs: bool) -> None:
    """Remove what can be done without from a run folder."""
    for path in folder.iterdir():
        if path.name in KEPT or (logs and path.name == "logs"):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _read(line: bytes) -> Ended | None:
    """Return what a whole line of the ledger says."""
    try:
        return Ended.from_json(line) if line.endswith(b"\n") else None
    except (ValueError, TypeError, KeyError):
        return None


def _cut(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)


def _adopted(point: Point, folder: Path) -> Ended | None:
    """Return how the run of a folder ended, if it did."""
    try:
        result = json.loads((folder / "result.json").read_text())
        if result["status"] == "interrupted":
            return None
        return ended_well(point.index, point.folder, point.seed, result, None)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _check_same(folder: Path, before: str, now: str) -> None:
    """Raise FileError, with the difference, unless the same is asked as before."""
    if before == now:
        return
    old, new = before.splitlines(), now.splitlines()
    lines = list(
        difflib.unified_diff(old, new, "what this folder was made for", "now", "", "", 1, "")
    )
    if len(lines) > DIFFERENCES:
        lines = [*lines[:DIFFERENCES], f"and {len(lines) - DIFFERENCES} more lines"]
    raise FileError(
        f"{folder}: holds the points of another sweep; name another folder with --out, "
        "or undo this change:\n" + "\n".join(lines)
    )
