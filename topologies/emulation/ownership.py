"""What belongs to which run, and the removal of what dead runs left.

Everything a run starts inherits its mark in the environment, and everything it stores outside its
run folder lies in one folder of that name (`claims`). Networks need no mark: they live in
namespaces that go with the last process inside. Containers carry the run's id in a label, too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from topologies.emulation.claims import claim, claims, gate, is_dead
from topologies.emulation.priority import restore

MARK = "SPANLAB_RUN"
_END_TIMEOUT_S = 5.0
_EXEC_LOOKS = 3
"""At the environment of a process, a millisecond apart: it has none for a moment as it begins
another program."""
_HALVES = "-record"
"""Ends the name of a run's claim on its run folder, which outlives its network."""


@contextmanager
def owned_folder(run: str) -> Iterator[Path]:
    """Mark this process and all it starts as the run's; yield a private folder for its sockets.

    What is started keeps its temporary files there, too; what nobody has ended by then ends with
    the block.
    """
    tempfile.gettempdir()  # this process's own place, known from now on, stays what it is
    with claim(run) as folder:
        (folder / "tmp").mkdir()
        with _variables({MARK: run, "TMPDIR": str(folder / "tmp")}):
            try:
                yield folder
            finally:
                end_marked(run)


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def half_written(folder: Path, run: str) -> Iterator[None]:
    """Let what a run has half written in its run folder be found, should it be killed."""
    with claim(f"{run}{_HALVES}") as place:
        stat = folder.stat()
        (place / _HALVES).write_text(f"{stat.st_dev} {stat.st_ino} {folder.resolve()}")
        yield


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
    from topologies.emulation.containers.remains import clear  # it needs this module itself

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
            _remove_halves(folder / _HALVES)
            shutil.rmtree(folder, ignore_errors=True)
            if (run := folder.name.removesuffix(_HALVES)) not in reaped.runs:
                reaped.runs.append(run)
    return reaped


def marked_processes(run: str, name: str = MARK) -> list[int]:
    """Return the processes that carry a run's mark, this one left out."""
    mark = f"{name}={run}".encode()
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if pid != os.getpid() and carries(pid, mark)]


def end_marked(run: str, name: str = MARK) -> int:
    """Kill the processes that carry a run's mark and wait for them; return how many there were."""
    ended = set()
    deadline = time.monotonic() + _END_TIMEOUT_S
    while (left := marked_processes(run, name)) and time.monotonic() < deadline:
        ended |= {pid for pid in left if _kill(pid, f"{name}={run}".encode())}
        time.sleep(0.02)
    return len(ended)


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


def _kill(pid: int, mark: bytes) -> bool:
    """Kill the process of that number if it carries a mark; never one that took its number over."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if not carries(pid, mark):
            return False
        signal.pidfd_send_signal(process, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(process)
    return True


def carries(pid: int, mark: bytes) -> bool:
    """Ask whether a process has ``NAME=value`` in its environment."""
    for _ in range(_EXEC_LOOKS):
        try:
            if environment := Path(f"/proc/{pid}/environ").read_bytes():
                return mark in environment.split(b"\0")
            Path(f"/proc/{pid}/exe").readlink()
        except OSError:
            break  # ended meanwhile, or the kernel's own
        time.sleep(0.001)
    return False
