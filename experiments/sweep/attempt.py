"""One attempt at a point: one emulation at a time on a machine, and none stops the others.

`emulate_point` is the only way from here to the runner. Whoever runs points keeps one `Bench` from
the first to the last, so that a lab stays up for the points that fit it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.bench import Bench
from experiments.carrying import kept
from experiments.carrymeasure import renew
from experiments.errors import Interrupted, RunFailed
from experiments.loading import settled_twin
from experiments.runner import run_twin
from experiments.scenario import Scenario
from experiments.session import Observer
from experiments.sweep.ended import MAX_ERROR, Ended, ended_well
from topologies.emulation.capabilities import probe
from topologies.emulation.errors import MachineError
from topologies.files import as_model

ONE_AT_A_TIME = Path("/run/spanlab-emulation.lock")
"""Locked while a point is emulated: two at once would take each other's processors."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


def emulate_point(
    scenario: dict[str, Any],
    source: Path,
    folder: Path,
    observer: Observer,
    bench: Bench,
    keep: str,
) -> dict[str, Any]:
    """Emulate a point's scenario on a bench, alone on this machine; return the result.

    What is not to be kept is not made. Raises what `run_twin` does.
    """
    stated = as_model(scenario, Scenario, str(source))
    with machine_alone(observer.stage):
        if stated.emulate.auto and kept() is None:
            observer.stage("measuring what this machine carries, once")
            renew()
        settled, twin = settled_twin(stated)
        pages = keep == "all"
        return run_twin(settled, twin, source, observer, folder, bench, pages=pages)[1]


def attempt(
    index: int,
    scenario: dict[str, Any],
    source: Path,
    folder: Path,
    observer: Observer,
    bench: Bench,
    keep: str,
) -> Ended:
    """Emulate a point; whatever goes wrong with it alone becomes how it ended.

    Raises Interrupted when told to stop, MachineError for what the machine lacks, RunFailed when
    nothing can be written any more.
    """
    begin = time.monotonic()
    seed = scenario.get("seed", 0)
    try:
        result = emulate_point(scenario, source, folder, observer, bench, keep)
    except MachineError:
        raise
    except Exception as error:
        if full(error):
            raise RunFailed(no_room(folder, error)) from None
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        (folder / "logs" / "error.txt").write_text(traceback.format_exc())
        return Ended(
            index=index,
            folder=folder.name,
            status="failed",
            seed=seed,
            error=f"{type(error).__name__}: {error}"[:MAX_ERROR],
            seconds=round(time.monotonic() - begin, 3),
            machine=platform.node(),
        )
    if result["status"] == "interrupted":
        raise Interrupted
    return ended_well(index, folder.name, seed, result, time.monotonic() - begin)


def require_machine() -> None:
    """Raise MachineError for what this machine lacks."""
    if missing := probe().missing:
        raise MachineError("this machine lacks:\n" + "\n".join(f"  {it}" for it in missing))


@contextmanager
def machine_alone(stage: Callable[[str], None]) -> Iterator[None]:
    """Hold this machine's lock on emulating points, which is let go of when its holder dies."""
    descriptor = os.open(ONE_AT_A_TIME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stage("waiting: another point is being emulated on this machine")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def full(error: Exception) -> bool:
    """Return whether an error says that nothing can be written any more."""
    said = str(error)  # DuckDB has no number for it
    return getattr(error, "errno", None) in FULL or os.strerror(errno.ENOSPC) in said


def no_room(folder: Path, error: Exception) -> str:
    """Say what to do where nothing can be written any more."""
    why = getattr(error, "strerror", None) or os.strerror(errno.ENOSPC)
    return (
        f"{folder}: cannot be written: {why}. What had ended is whole; make room and give the same "
        "command again: it goes on where it stopped"
    )
