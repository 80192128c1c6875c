"""What belongs to which run.

Everything a run starts inherits its mark in the environment, and everything it stores outside its
run folder lies in one folder of that name (`claims`). Networks need no mark: they live in
namespaces that go with the last process inside. Containers carry the run's id in a label, too.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from topologies.emulation import procfs
from topologies.emulation.claims import claim

MARK = "SPANLAB_RUN"
_END_TIMEOUT_S = 5.0
_EXEC_TIMEOUT_S = 1.0
"""For a process that begins another program, and has no environment for a moment."""
_ENV_START = 47
"""Of /proc/PID/stat after the name: 0 until there is an environment, and where there never is."""
HALVES = "-record"
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
    with claim(f"{run}{HALVES}") as place:
        stat = folder.stat()
        (place / HALVES).write_text(f"{stat.st_dev} {stat.st_ino} {folder.resolve()}")
        yield


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
    deadline = time.monotonic() + _EXEC_TIMEOUT_S
    try:
        while not (environment := procfs.data(pid, "environ")):
            Path(f"/proc/{pid}/exe").readlink()
            fields = procfs.text(pid, "stat").rpartition(")")[2].split()
            if fields[_ENV_START] != "0" or time.monotonic() > deadline:
                return False  # it was begun without any
            time.sleep(0.001)
    except OSError:
        return False  # ended meanwhile, or the kernel's own
    return mark in environment.split(b"\0")
