"""Runs the points of a sweep on a Dask cluster: one at a time on each machine, none lost.

Workers emulate, and hold nothing that matters: each run folder comes back as bytes and is written
here. A point whose worker is lost is given to another by the scheduler.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from experiments.errors import RunFailed
from experiments.loading import settled_twin
from experiments.scenario import Scenario
from experiments.sweep.ended import Ended
from experiments.sweep.points import Point, plain
from experiments.sweep.watching import Watcher
from experiments.sweep.worker import Unfit, run_point, unpack
from experiments.sweep.workforce import RESOURCE, cluster_of, workforce
from topologies.files import as_model

CONNECT_S, LOOK_S = 10, 5.0
"""How long to wait for the scheduler, and how often to look whether anybody works."""
WORKERS = "workers"
"""Where, in the sweep's folder, those that it started log."""
AHEAD = 4
"""Points that are given to the scheduler for each worker: it always has a next one."""

GONE = (
    "the Dask scheduler is gone; start it and its workers again and give the same command: it goes "
    "on where it stopped"
)


class OnCluster:
    """Runs points on the workers of a Dask scheduler."""

    def __init__(self, cluster: str, source: Path, watcher: Watcher) -> None:
        """Take a scheduler's address or a cluster file, the sweep file, and who watches.

        Raises FileError for a bad cluster file.
        """
        self._cluster, self._source, self._watcher = cluster_of(cluster), source, watcher

    def run(self, points: Sequence[Point], runs: Path, keep: str) -> Generator[Ended, None, None]:
        """Run points wherever a worker is free; see `Executor`."""
        if not points:
            return
        from distributed.utils import silence_logging_cmgr

        with ExitStack() as stack:
            stack.enter_context(silence_logging_cmgr(logging.CRITICAL))  # what matters is raised
            address = stack.enter_context(workforce(self._cluster, runs.parent / WORKERS))
            client = stack.enter_context(_client(address))
            hint = f"./spanlab worker {address} starts one"
            if not isinstance(self._cluster, str):
                hint = f"what they say is in {runs.parent / WORKERS}"
            waiting = iter(points)
            given: dict[Any, Point] = {}
            queue: SimpleQueue[Any] = SimpleQueue()
            stack.callback(lambda: client.cancel(list(given)))
            while True:
                workers = self._workers(client, hint)
                while len(given) < AHEAD * max(1, workers) and (point := next(waiting, None)):
                    future = self._submit(client, point, keep)
                    given[future] = point
                    future.add_done_callback(queue.put)
                if not given:
                    return
                for future in _ended(client, queue):
                    point = given.pop(future)
                    yield _collected(future, point, runs)

    def _submit(self, client: Any, point: Point, keep: str) -> Any:
        """Give a point to the scheduler, with the scales that this machine would choose for it."""
        settled, _ = settled_twin(as_model(point.scenario, Scenario, str(self._source)))
        request = {
            "index": point.index,
            "scenario": plain(settled),
            "source": str(self._source),
            "name": point.folder,
            "keep": keep,
        }
        return client.submit(run_point, request, resources={RESOURCE: 1}, pure=False)

    def _workers(self, client: Any, hint: str) -> int:
        """Return how many workers can emulate now; say so, with a hint where there is none."""
        try:
            workers = client.scheduler_info(n_workers=-1)["workers"].values()
        except OSError:
            raise RunFailed(GONE) from None
        count = sum(RESOURCE in worker.get("resources", {}) for worker in workers)
        self._watcher.stage(f"{count} workers" if count else f"waiting for a worker; {hint}")
        return count


def _client(address: str) -> Any:
    """Return a connection to a scheduler; raises RunFailed where none answers."""
    from distributed import Client

    try:
        return Client(address, timeout=CONNECT_S)
    except (OSError, ValueError, TimeoutError) as error:
        raise RunFailed(
            f"no Dask scheduler answers at {address}: {error}\nstart one with "
            ".venv/bin/dask scheduler, and give the address that it prints: tcp://HOST:8786"
        ) from None


def _ended(client: Any, queue: SimpleQueue[Any]) -> Iterator[Any]:
    """Wait a while for points to end; yield those that have."""
    try:
        yield queue.get(timeout=LOOK_S)
        while True:
            yield queue.get_nowait()
    except Empty:
        if client.status != "running":
            raise RunFailed(GONE) from None


def _collected(future: Any, point: Point, runs: Path) -> Ended:
    """Write what a worker sent back; return how the point ended."""
    from distributed import KilledWorker

    try:
        line, files = future.result()
    except CancelledError:
        raise RunFailed(GONE) from None
    except Unfit as error:
        raise RunFailed(f"a worker cannot emulate: {error}") from None
    except KilledWorker as error:
        unpack(runs / point.folder, {"logs/error.txt": str(error).encode()})
        said = f"every worker that it was given to was lost: {error}".splitlines()[0]
        return Ended(point.index, point.folder, "failed", point.seed, error=said)
    finally:
        future.release()
    unpack(runs / point.folder, files)
    return Ended.from_json(line)
