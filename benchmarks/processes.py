"""Processes seen from outside, and loops that keep processors busy."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from topologies.emulation.impairer import Impairer
from topologies.emulation.relay.impairer import RelayImpairer

_LOOP = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"


def relay_pids(impairer: Impairer) -> list[int]:
    """Return the processes of an impairer's relays, in the order of its spans; none of netem's."""
    if not isinstance(impairer, RelayImpairer):
        return []
    assert impairer._processes is not None, "there are spans"
    parent = impairer._processes.pid
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def processor_ns(pid: int) -> int:
    """Return the processor time that a process and its threads have taken, in ns."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads)


def wakeups(pid: int) -> int:
    """Return how often a process has given its processor up or lost it."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


@contextmanager
def busy_processors() -> Iterator[None]:
    """Keep every processor busy with an endless loop at ordinary priority."""
    tie = ["setpriv", "--pdeathsig", "KILL"]
    loops = [
        subprocess.Popen([*tie, sys.executable, "-I", "-c", _LOOP, str(number)])
        for number in sorted(os.sched_getaffinity(0))
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
