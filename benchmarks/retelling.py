"""A finished run, written again as it came: ``python -m benchmarks.retelling RUN OUT``.

What follows a run as it grows can so be tried and measured without a network. RUN is a run folder
or an archive of one. The process stands for the run's own: while it lives, so does the run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.manifest import start_of

_DATA = Path(__file__).parents[1] / "tests" / "experiments" / "dashboard" / "data"
RECORDED = _DATA / "twelve-ranks.tar.xz"
"""Twelve ranks on three campuses, two upgrades: a run of a minute."""
LESSON = _DATA / "lesson.tar.xz"
"""`experiments/scenarios/classroom.yaml` under ``--live``, as it was steered on the page."""
LINES = ("events", "live", "wishes", "steps", "spans", "machine")


@dataclass(frozen=True)
class Told:
    """A line of one of the folder's files, and when it was written, in seconds of the run."""

    at_s: float
    file: str
    line: bytes


def unpacked(archive: Path, out: Path) -> Path:
    """Unpack an archived run folder into ``out``, and return it."""
    with tarfile.open(archive) as tar:
        tar.extractall(out, filter="data")
    return out


def lines_of(folder: Path) -> list[Told]:
    """Return all lines of a run folder in the order in which they came."""
    first = json.loads((folder / "events.jsonl").read_bytes().splitlines()[0])
    origin_ns = first["at_ns"] - round(first["t_s"] * 1e9)
    answered = {
        event["id"]: event["t_s"]
        for event in map(json.loads, (folder / "events.jsonl").read_bytes().splitlines())
        if event["kind"] in ("wish", "wish refused")
    }
    found = []
    for name in LINES:
        path = folder / f"{name}.jsonl"
        for raw in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
            line = json.loads(raw)
            if name == "wishes":
                at_s = answered.get(line["id"], 0.0) - 0.3
            else:
                at_ns = line["end_ns"] if name == "steps" else line["at_ns"]
                at_s = (at_ns - origin_ns) / 1e9
            found.append(Told(at_s, path.name, raw))
    return sorted(found, key=lambda told: told.at_s)


def retell(
    folder: Path, out: Path, speed: float, begin_s: float = 0.0, end_s: float = float("inf")
) -> None:
    """Write a run anew into ``out``, ``speed`` times as fast as it was; without an end, not whole.

    What came before ``begin_s`` is there at once; what came after ``end_s`` never comes.
    """
    out.mkdir(parents=True, exist_ok=True)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest |= {"pid": os.getpid(), "pid_start": start_of(os.getpid())}
    (out / "manifest.json").write_text(json.dumps(manifest))
    started = time.monotonic()
    for told in lines_of(folder):
        if told.at_s > end_s:
            return
        due = started + (told.at_s - begin_s) / speed
        time.sleep(max(0.0, due - time.monotonic()))
        with (out / told.file).open("ab") as file:
            file.write(told.line)
    for name in ("session.yaml", "result.json"):
        if (folder / name).exists():
            shutil.copy(folder / name, out / f".{name}")
            (out / f".{name}").rename(out / name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Retell a run folder or an archive of one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retelling")
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--begin", type=float, default=0.0, help="seconds of the run")
    parser.add_argument("--end", type=float, default=float("inf"))
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        whole = options.run.is_dir()
        folder = options.run if whole else unpacked(options.run, Path(scratch))
        retell(folder, options.out, options.speed, options.begin, options.end)


if __name__ == "__main__":
    main()
