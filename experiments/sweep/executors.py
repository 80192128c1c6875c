"""Who runs the points of a sweep: this process, one after the other, or a cluster (`cluster`)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

from experiments.bench import Bench
from experiments.session import Observer
from experiments.sweep.attempt import attempt
from experiments.sweep.ended import Ended
from experiments.sweep.points import Point


class Executor(Protocol):
    """Runs points; each has a whole run folder by the time it is told of."""

    def run(self, points: Sequence[Point], runs: Path, keep: str) -> Generator[Ended, None, None]:
        """Run points into folders below ``runs``; yield how each ended, in whatever order.

        Of each folder at least what the sweep is to ``keep`` must be there.

        Raises Interrupted, MachineError or RunFailed where none of the rest can run.
        """


class Here:
    """Runs points in this process."""

    def __init__(self, source: Path, observer: Observer) -> None:
        """Take the sweep file, and who watches."""
        self._source, self._observer = source, observer

    def run(self, points: Sequence[Point], runs: Path, keep: str) -> Generator[Ended, None, None]:
        """Run points one after the other; see `Executor`."""
        with closing(Bench()) as bench:
            for point in points:
                yield attempt(
                    point.index,
                    point.scenario,
                    self._source,
                    runs / point.folder,
                    self._observer,
                    bench,
                    keep,
                )
