"""A sweep over the tiny scenario, and runs of it that nothing emulated."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from experiments.manifest import manifest_of
from experiments.outcome import Outcome, finish
from experiments.sweep.ended import Ended, ended_well
from experiments.sweep.points import Point
from experiments.sweep.worker import packed, unpack
from tests.fakes.runs import MACHINE, FakeRun
from tests.fakes.scenarios import tiny

DELAY, LOSS = "network.spans.*.delay", "network.spans.*.loss"
GRID: dict[str, Any] = {DELAY: ["1 ms", "10 ms"], LOSS: [0, 0.001, 0.01]}


def swept(**changes: Any) -> dict[str, Any]:
    """Return a sweep of six points, with some keys changed."""
    sweep = {"name": "small", "scenario": tiny(workload__strategy="ddp"), "vary": GRID}
    return {**sweep, **changes}


def write_sweep(folder: Path, **changes: Any) -> Path:
    """Write a sweep file."""
    path = folder / "sweep.yaml"
    path.write_text(json.dumps(swept(**changes)))  # which is YAML, too
    assert yaml.safe_load(path.read_text())["name"]
    return path


class Made:
    """Runs points by making them up.

    Some may ``fail``, of some there may be ``doubt``; at one that is ``torn`` it stops.
    """

    def __init__(
        self,
        fail: Sequence[int] = (),
        torn: int | None = None,
        doubt: Sequence[int] = (),
        by: type[BaseException] = KeyboardInterrupt,
    ) -> None:
        self.fail, self.torn, self.doubt, self.by = fail, torn, doubt, by
        self.ran: list[int] = []

    def run(self, points: Sequence[Point], runs: Path, keep: str) -> Generator[Ended, None, None]:
        for point in points:
            folder = runs / point.folder
            if point.index == self.torn:
                folder.mkdir()
                folder.joinpath("manifest.json").write_text("{}")
                raise self.by
            self.ran.append(point.index)
            run = made(point, folder, failed=point.index in self.fail)
            yield replace(run, verdict="degraded") if point.index in self.doubt else run


def made(point: Point, folder: Path, failed: bool = False) -> Ended:
    """Leave the folder of a run that was made up; return how it ended."""
    files = _files(failed)
    unpack(folder, files)
    result = json.loads(files["result.json"])
    return ended_well(point.index, point.folder, point.seed, result, 1.5)


def made_on_a_worker(request: dict[str, Any]) -> tuple[str, dict[str, bytes]]:
    """Answer a request as `experiments.sweep.worker.run_point` does, with a run made up."""
    files = _files(False)
    time.sleep(0.2)
    index, name, seed = request["index"], request["name"], request["scenario"]["seed"]
    return ended_well(index, name, seed, json.loads(files["result.json"]), 1.5).to_json(), files


@cache
def _files(failed: bool) -> dict[str, bytes]:
    """Return the run folder that every point has: making one takes a while."""
    with tempfile.TemporaryDirectory() as scratch:
        run = FakeRun(Path(scratch) / "run")
        outcome = Outcome(session=run.session)
        if failed:
            outcome.status, outcome.error = "failed", "rank 1 (east-w1) was killed by signal 9"
        manifest = manifest_of(run.scenario, Path("lab.yaml"), "made-up", run.twin, MACHINE)
        run.record.write("manifest.json", manifest)
        run.record.logs.joinpath("rank-0.log").write_text("ready")
        finish(run.scenario, run.twin, MACHINE, "made-up", run.record, outcome)
        return packed(run.record.folder)


class Nobody:
    """Watches a sweep, and remembers what it was told."""

    def __init__(self) -> None:
        self.before = 0
        self.told: list[int] = []

    def stage(self, text: str) -> None:
        pass

    def begin_sweep(self, total: int, ended: Sequence[Ended]) -> None:
        self.before = len(ended)

    def ended(self, point: Point, run: Ended) -> None:
        self.told.append(run.index)
