"""The removal of what dead runs left, and of nothing else."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from topologies.emulation.claims import claims, gate, is_dead
from topologies.emulation.containers.remains import clear
from topologies.emulation.ownership import HALVES, end_marked
from topologies.emulation.priority import restore


@dataclass
class Reaped:
    """What `reap` did.

    Attributes:
        runs: that were dead, of which nothing is left.
        processes: that were theirs and still ran.
        waiting: runs of which something is left that cannot be removed now, and why.
    """

    runs: list[str] = field(default_factory=list)
    processes: int = 0
    waiting: dict[str, str] = field(default_factory=dict)


def reap() -> Reaped:
    """End the processes and remove what else is left of runs whose owner is dead; nothing else.

    Several may do so at once, and beside runs that start: they take turns.
    """
    reaped = Reaped()
    if not claims():
        return reaped
    with gate():
        for folder in filter(is_dead, claims()):
            reaped.processes += end_marked(folder.name)
            restore(folder)
            if why := clear(folder):
                reaped.waiting[folder.name] = why
                continue
            _remove_halves(folder / HALVES)
            shutil.rmtree(folder, ignore_errors=True)
            if (run := folder.name.removesuffix(HALVES)) not in reaped.runs:
                reaped.runs.append(run)
    return reaped


def _remove_halves(record: Path) -> None:
    """Remove what has no name of its own yet from a run folder, if that is still the same one."""
    try:
        device, inode, path = record.read_text().split(" ", 2)
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError):
        return
    try:
        stat = os.fstat(folder)
        if (str(stat.st_dev), str(stat.st_ino)) != (device, inode):
            return
        for name in [entry.name for entry in os.scandir(folder)]:
            if name.startswith(".") and name.endswith(".part"):
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)
