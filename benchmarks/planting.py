"""Harms done to a run from outside: its processes found by what they are, and hurt."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

from experiments.processstate import process_of
from topologies.emulation.claims import STATE
from topologies.emulation.ownership import marked_processes

SLOWED_S = 1.0
STOPPED_S, RUNNING_S = 0.06, 0.04
"""How long a slowed process stands and goes by turns."""
BALLAST = ".ballast"


def victims(component: str, run: str) -> list[int]:
    """Return the processes of a run that are such a component."""
    if component == "network of a host":
        return _keepers(run)
    if component == "container":
        return [pid for pid in marked_processes(run) if _is_first_inside(pid)]
    return [pid for pid in marked_processes(run) if _IS[component](_name(pid), _words(pid))]


def kill(pid: int) -> None:
    """End a process as the kernel does when memory runs out."""
    os.kill(pid, signal.SIGKILL)


def stop(pid: int) -> None:
    """Let a process stand."""
    os.kill(pid, signal.SIGSTOP)


def slow(pid: int, lasting_s: float = SLOWED_S) -> None:
    """Let a process stand for most of a while."""
    end_s = time.monotonic() + lasting_s
    with contextlib.suppress(ProcessLookupError):  # it may end meanwhile
        try:
            while time.monotonic() < end_s:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(STOPPED_S)
                os.kill(pid, signal.SIGCONT)
                time.sleep(RUNNING_S)
        finally:
            os.kill(pid, signal.SIGCONT)


def take_memory(pid: int) -> None:
    """Let a process have no more memory than it has."""
    for limit in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        _, hard = resource.prlimit(pid, limit)
        resource.prlimit(pid, limit, (1 << 20, hard))


def take_descriptors(pid: int) -> None:
    """Let a process open no more files than it has open."""
    most = max(int(it.name) for it in Path(f"/proc/{pid}/fd").iterdir())
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most + 1, hard))


def fill_disk(folder: Path) -> None:
    """Write to a disk until it is full."""
    with (folder / BALLAST).open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


HURTS: dict[str, Callable[[int], None]] = {
    "killed": kill,
    "stopped": stop,
    "slowed": slow,
    "out of memory": take_memory,
    "used up": take_descriptors,
}
"""What is done to a process, by the word of the table; a disk is filled by `fill_disk`."""


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []


def _keepers(run: str) -> list[int]:
    """Return what a lab that is up says keeps the networks of its hosts."""
    try:
        text = (STATE / run / "lab.json").read_text()
    except OSError:
        return []
    return sorted({process_of(pid) for pid in json.loads(text)["hosts"].values()})


def _is_first_inside(pid: int) -> bool:
    """Ask whether a process is number 1 of a container: all in there ends with it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    numbers = next(line for line in status.splitlines() if line.startswith("NSpid")).split()[1:]
    return len(numbers) > 1 and numbers[-1] == "1"


def _module(name: str) -> Callable[[str, list[str]], bool]:
    return lambda comm, words: "-m" in words and name in words and not comm.startswith("rank ")


_IS: dict[str, Callable[[str, list[str]], bool]] = {
    "rank": lambda comm, words: comm.startswith("rank "),
    "launcher": _module("workloads"),
    "container engine": lambda comm, words: comm == "dockerd",
    "relay": lambda comm, words: comm.startswith("relay "),
    "controller": _module("controller"),
    "ovs-vswitchd": lambda comm, words: comm == "ovs-vswitchd",
    "ovsdb-server": lambda comm, words: comm == "ovsdb-server",
    "prober": _module("topologies.emulation.prober"),
}
