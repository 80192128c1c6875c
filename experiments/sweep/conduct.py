"""One sweep, from its file to its table: read this first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from experiments.bounds import bounds_here
from experiments.errors import RunFailed
from experiments.signals import stop_on_signals
from experiments.sweep.attempt import full, no_room
from experiments.sweep.columns import columns_of, rows_of
from experiments.sweep.ended import Ended
from experiments.sweep.executors import Executor
from experiments.sweep.points import Point, check_all, expand
from experiments.sweep.spec import load_sweep
from experiments.sweep.store import TABLE, Store
from experiments.sweep.table import write_table
from experiments.sweep.watching import Watcher

TABLE_EVERY = 20
"""The table is renewed when this many times as long has passed as it takes: it grows with it."""


@dataclass(frozen=True)
class Swept:
    """What a sweep left.

    Attributes:
        folder: of the sweep.
        points: all of them.
        ended: how each ended, by index.
    """

    folder: Path
    points: Sequence[Point]
    ended: dict[int, Ended]

    @property
    def failed(self) -> list[Ended]:
        """Return what did not finish, in order."""
        return [run for _, run in sorted(self.ended.items()) if run.status != "finished"]

    @property
    def doubtful(self) -> list[Ended]:
        """Return what finished without being faithful, in order."""
        done = [run for _, run in sorted(self.ended.items()) if run.status == "finished"]
        return [run for run in done if run.verdict != "faithful"]

    def to_json(self) -> dict[str, Any]:
        """Return what scripts are told."""
        return {
            "folder": str(self.folder),
            "table": str(self.folder / TABLE),
            "runs": len(self.points),
            "finished": len(self.ended) - len(self.failed),
            "failed": [
                {"point": self.points[run.index].point, "folder": run.folder, "error": run.error}
                for run in self.failed
            ],
            "not_faithful": [run.folder for run in self.doubtful],
        }


def sweep(
    source: Path,
    executor: Executor,
    watcher: Watcher,
    out: Path | None = None,
    *,
    again: bool = False,
    warn: Callable[[str], None] = lambda line: None,
) -> Swept:
    """Run what of a sweep has not ended yet, and, if ``again``, what has failed.

    ``warn`` hears of points that are beyond what was seen to be emulated faithfully.

    Raises FileError before anything runs for a file, a point or a folder that will not do;
    Interrupted when told to stop, RunFailed when nothing can be written any more. After either,
    the same call goes on where this one stopped.
    """
    with stop_on_signals():
        spec, scenario = load_sweep(source)
        points = expand(spec, scenario, str(source))
        for line in check_all(points, str(source), _said(watcher, len(points)), bounds_here()):
            warn(line)
        asked = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        asked["scenario"] = scenario.model_dump(mode="json", by_alias=True, exclude_none=True)
        folder = out or Path("runs") / spec.name
        try:
            store = Store(folder, asked)
            with store.alone():
                store.resume(points, spec.keep)
                if again:
                    store.forget_failed()
                _work(spec.name, spec.keep, points, store, executor, watcher)
        except (OSError, duckdb.Error) as error:
            if full(error):
                raise RunFailed(no_room(folder, error)) from None
            raise
    return Swept(folder, points, store.ended)


def _work(
    name: str,
    keep: str,
    points: Sequence[Point],
    store: Store,
    executor: Executor,
    watcher: Watcher,
) -> None:
    """Run what is left, and keep the table abreast of what has ended."""
    table, columns = store.folder / TABLE, columns_of(points)
    left = [point for point in points if point.index not in store.ended]
    watcher.begin_sweep(len(points), list(store.ended.values()))
    due = 0.0
    try:
        with closing(executor.run(left, store.runs, keep)) as running:
            for run in running:
                store.add(run, keep)
                watcher.ended(points[run.index], run)
                if (begin := time.monotonic()) >= due:
                    write_table(table, columns, rows_of(name, points, store.ended))
                    due = begin + TABLE_EVERY * (time.monotonic() - begin)
    finally:
        write_table(table, columns, rows_of(name, points, store.ended))


def _said(watcher: Watcher, total: int) -> Callable[[int], None]:
    def looked_at(count: int) -> None:
        if count % 100 == 0 or count == total:
            watcher.stage(f"looked at {count} of {total} points")

    return looked_at
