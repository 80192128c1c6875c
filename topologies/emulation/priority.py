"""Processors for what carries packets, so that neither busy nor sleeping ones make it late.

Frames between namespaces are handled by the kernel's soft interrupts. While those are busy the
kernel leaves them to its ksoftirqd threads, which wait their turn among ordinary processes: with
two busy cores a round trip through two switches took 2 to 9 ms instead of 0.9. So those threads
get real-time priority while a lab runs.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from topologies.emulation.claims import gate

PROBER, SOFT_INTERRUPTS, SWITCH, RELAY = 3, 4, 5, 10
"""Priorities under SCHED_FIFO. What carries packets precedes what sends them: ping spins."""
_RECORD = "ksoftirqd"


def prefix(priority: int) -> list[str]:
    """Return what gives a command real-time priority, or nothing where that is not permitted."""
    command = ["chrt", "--fifo", str(priority)]
    try:
        done = subprocess.run([*command, "true"], capture_output=True, check=False)
    except OSError:
        return []
    return command if done.returncode == 0 else []


def take(priority: int) -> None:
    """Give this process real-time priority where that is permitted."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))


@contextmanager
def urgent_soft_interrupts(folder: Path) -> Iterator[None]:
    """Give ksoftirqd real-time priority; ``folder``, a claim, remembers it for `restore`.

    A thread that somebody else has given a priority keeps it.
    """
    with gate():
        ordinary = [
            pid for pid in _soft_interrupt_threads() if os.sched_getscheduler(pid) == os.SCHED_OTHER
        ]
        _remember(folder / _RECORD, ordinary)
        with contextlib.suppress(OSError):
            for pid in ordinary:
                os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(SOFT_INTERRUPTS))
    try:
        yield
    finally:
        with gate():
            restore(folder)


@contextmanager
def wakeful_processors() -> Iterator[None]:
    """Keep idle processors from sleeping deeply, where the kernel lets one ask for that.

    A packet that finds a processor asleep waits for it to wake: the switches then cost 0.3 ms more
    of round trip while nothing else runs than under load, and were calibrated for one of the two.
    """
    try:
        latency = os.open("/dev/cpu_dma_latency", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        os.write(latency, (0).to_bytes(4, sys.byteorder))  # us; held until it is closed
        yield
    finally:
        os.close(latency)


def restore(folder: Path) -> None:
    """Make ordinary again what a run's folder remembers; only who has the `gate` may do so.

    While another run needs it still, that one remembers it from now on.
    """
    record = folder / _RECORD
    remembered = _pids(record)
    others = [it for it in folder.parent.glob(f"*/{_RECORD}") if it != record]
    if others:
        _remember(others[0], _pids(others[0]) | remembered)
    else:
        for pid in set(_soft_interrupt_threads()) & remembered:
            os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))
    record.unlink(missing_ok=True)


def _pids(record: Path) -> set[int]:
    return set(map(int, record.read_text().split())) if record.exists() else set()


def _remember(record: Path, pids: Iterable[int]) -> None:
    draft = record.with_name(f".{record.name}")
    draft.write_text(" ".join(map(str, sorted(pids))))
    draft.rename(record)


def _soft_interrupt_threads() -> list[int]:
    """Return the kernel's ksoftirqd threads: children of kthreadd, process 2."""
    children = Path("/proc/2/task/2/children")
    try:
        candidates = [int(pid) for pid in children.read_text().split()]
    except OSError:  # a kernel without that file, or a container that sees no kernel threads
        return []
    return [pid for pid in candidates if _name(pid).startswith("ksoftirqd/")]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""
