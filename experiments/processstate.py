"""How a process is, as the kernel shows it in /proc: running, standing still, or gone."""

from __future__ import annotations

import os
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from topologies.emulation import procfs

_STANDS = "Tt"
"""States of proc(5): stopped by a signal, and by a debugger."""
_ENDED = "ZX"


@dataclass(frozen=True)
class Process:
    """A process at one moment.

    Attributes:
        name: its command's name, of 15 characters at most.
        state: the letter of proc(5).
        started: in ticks since the machine's start; with its number it is never the same twice.
        exit: how it ended, if it has, as wait(2) tells it.
    """

    pid: int
    name: str
    state: str
    started: int
    exit: int

    @property
    def stands(self) -> bool:
        """Whether it was stopped and not let go on."""
        return self.state in _STANDS

    @property
    def ended(self) -> bool:
        """Whether it has ended, and nobody asked how yet."""
        return self.state in _ENDED


def look_at(pid: int, proc: Path = procfs.PROC) -> Process | None:
    """Return how a process is; None where there is none of that number.

    Raises OSError where this process may open no more files.
    """
    try:
        text = procfs.text(pid, "stat", proc)
    except (FileNotFoundError, ProcessLookupError):
        return None
    name = text.partition("(")[2].rpartition(")")[0]
    fields = text.rpartition(")")[2].split()
    last = fields[49] if len(fields) > 49 else "0"
    return Process(pid, name, fields[0], int(fields[19]), int(last))


def age_s(process: Process) -> float:
    """Return how long ago a process was started, to a hundredth of a second."""
    now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    return now_s - process.started / os.sysconf("SC_CLK_TCK")


def turns(pid: int, proc: Path = procfs.PROC) -> int:
    """Return how often a process was given a processor: who stands still is not."""
    try:
        status = procfs.text(pid, "status", proc)
    except OSError:
        return 0
    return sum(map(int, re.findall(r"ctxt_switches:\s*(\d+)", status)))


def process_of(thread: int, proc: Path = procfs.PROC) -> int:
    """Return the process that a thread belongs to; its own number where there is none."""
    try:
        status = procfs.text(thread, "status", proc)
    except OSError:
        return thread
    found = re.search(r"^Tgid:\s*(\d+)", status, re.MULTILINE)
    return int(found[1]) if found else thread


def end_of(process: Process | None) -> str:
    """Say how a process that is gone came to its end."""
    if process is None or not process.ended:
        return "is gone"
    number = process.exit & 0x7F
    if number:
        return f"was killed by signal {number} ({signal.Signals(number).name})"
    return f"ended with exit code {process.exit >> 8}"
