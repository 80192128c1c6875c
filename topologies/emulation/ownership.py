"""What belongs to which run, and the removal of what dead runs left.

Everything a run starts inherits its mark in the environment, and everything it stores outside its
run folder lies in one folder of that name. Networks need no mark: they live in namespaces that go
with the last process inside. Containers carry the run's id in a label, too.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from topologies.emulation.priority import restore

MARK = "SPANLAB_RUN"
STATE = Path("/run/spanlab")
STARTING_S = 5.0
"""How long a folder without an owner is left alone."""


@contextmanager
def owned_folder(run: str) -> Iterator[Path]:
    """Mark this process and all it starts as the run's; yield a private folder for its sockets."""
    folder = STATE / run
    folder.mkdir(parents=True, mode=0o700)
    (folder / ".owner").write_text(_identity(os.getpid()))
    (folder / ".owner").rename(folder / "owner")  # never seen half written
    os.environ[MARK] = run
    try:
        yield folder
    finally:
        del os.environ[MARK]
        shutil.rmtree(folder, ignore_errors=True)


def living_runs() -> list[tuple[Path, int]]:
    """Return the private folder and the owner's process of every run that lives."""
    found = []
    for folder in sorted(STATE.glob("*")) if STATE.is_dir() else []:
        try:
            owner = (folder / "owner").read_text()
            if owner == _identity(int(owner.split()[0])):
                found.append((folder, int(owner.split()[0])))
        except (OSError, ValueError, IndexError):
            continue  # just starting, or just ending
    return found


@dataclass
class Reaped:
    """What `reap` removed."""

    runs: list[str] = field(default_factory=list)
    processes: int = 0


def reap() -> Reaped:
    """End the processes and remove what else is left of runs whose owner is dead; nothing else."""
    from topologies.emulation.containers.remains import clear  # it needs this module itself

    reaped = Reaped()
    for folder in sorted(STATE.glob("*")) if STATE.is_dir() else []:
        if not folder.is_dir() or _owner_lives(folder):
            continue
        reaped.processes += end_marked(folder.name)
        restore(folder)
        clear(folder)
        shutil.rmtree(folder, ignore_errors=True)
        reaped.runs.append(folder.name)
    return reaped


def marked_processes(run: str, name: str = MARK) -> list[int]:
    """Return the processes that carry a run's mark, this one left out."""
    mark = f"{name}={run}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # ended meanwhile, or the kernel's own
        if mark in environment:
            found.append(int(entry.name))
    return found


def end_marked(run: str, name: str = MARK) -> int:
    """Kill the processes that carry a run's mark and wait for them; return how many there were."""
    ended = set()
    deadline = time.monotonic() + 5
    while (left := marked_processes(run, name)) and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
                ended.add(pid)
            except ProcessLookupError:
                pass
        time.sleep(0.02)
    return len(ended)


def _owner_lives(folder: Path) -> bool:
    try:
        owner = (folder / "owner").read_text()
        return owner == _identity(int(owner.split()[0]))
    except (OSError, ValueError, IndexError):
        # Not yet written by a run that starts now, or half removed by one that ends.
        return folder.exists() and time.time() - folder.stat().st_mtime < STARTING_S


def _identity(pid: int) -> str:
    """Return a process id with its start time, which together never come twice."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return f"{pid} dead"
    return f"{pid} {fields[19]}"
