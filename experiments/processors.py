"""Who took the machine's processors: this run, others, or whoever runs the machine itself."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from topologies.emulation import procfs
from topologies.emulation.containers import cgroup
from topologies.emulation.ownership import MARK

TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")
_PRESSURE = Path("/proc/pressure/cpu")


@dataclass(frozen=True)
class Taken:
    """Processor time taken so far, in ns, summed over all processors.

    Attributes:
        at_ns: when it was read, by CLOCK_MONOTONIC.
        busy_ns: by all processes; handling interrupts is left out, which is nobody's.
        ours_ns: by this run's processes, this one among them.
        stolen_ns: what the host gave to other machines.
        waited_ns: the time (not summed) in which some process waited for a processor; None where
            the kernel does not tell.
        throttled_ns: in which control groups kept processes of the run from running.
    """

    at_ns: int
    busy_ns: int
    ours_ns: int
    stolen_ns: int
    waited_ns: int | None
    throttled_ns: int


class Processors:
    """Reads who took the processors; see `Taken`.

    A process that has ended is counted with the one that waited for it, as the kernel does. Costs
    some 20 us for each process of the run and 3 us for each other one.
    """

    def __init__(self, run: str | None, proc: Path = procfs.PROC) -> None:
        """Take the run whose mark its processes carry; None for this process alone."""
        self._proc, self._mark = proc, f"{MARK}={run}".encode()
        self._ours: dict[int, bool] = {}
        self._used: dict[int, tuple[int, int]] = {}  # by itself, and by those it waited for
        self._total_ns = 0
        self._groups: set[Path] = set()

    def read(self) -> Taken:
        """Return what was taken so far; of this run's processes, from the first reading on."""
        at_ns, first = time.monotonic_ns(), not self._used
        ours_ns = self._ours_ns()
        with (self._proc / "stat").open() as file:
            ticks = [*map(int, file.readline().split()[1:]), *[0] * 8]
        user, nice, system, *_, stolen = ticks[:8]
        return Taken(
            at_ns=at_ns if first else time.monotonic_ns(),
            busy_ns=(user + nice + system) * TICK_NS,
            ours_ns=ours_ns,
            stolen_ns=stolen * TICK_NS,
            waited_ns=_pressure_ns(),
            throttled_ns=sum(map(cgroup.throttled_ns, self._groups)),
        )

    def others(self) -> dict[tuple[int, str], int]:
        """Return what each process took (ns) that is not this run's, by its number and name."""
        found = {}
        for pid, ours in self._ours.items():
            if not ours and (text := self._stat(pid)):
                name = text.partition("(")[2].rpartition(")")[0]
                found[pid, name] = _taken_ns(text)[0]
        return found

    def _ours_ns(self) -> int:
        """Add what each process of the run took since the last reading."""
        names = (entry.name for entry in self._proc.iterdir())
        present = {int(name) for name in names if name.isdecimal()}
        known = {pid: ours for pid, ours in self._ours.items() if pid in present}
        known |= {pid: self._is_ours(pid) for pid in present - known.keys()}
        mine = [pid for pid, ours in known.items() if ours]
        used = {pid: _taken_ns(self._stat(pid)) for pid in mine}
        # One that was not there before is new, but at the first reading.
        before = {**dict.fromkeys(used, (0, 0)), **self._used} if self._used else used
        own_ns = sum(max(0, now - before[pid][0]) for pid, (now, _) in used.items())
        waited_ns = sum(max(0, now - before[pid][1]) for pid, (_, now) in used.items())
        ended_ns = sum(sum(before[pid]) for pid in before.keys() - used.keys())
        self._total_ns += own_ns + max(0, waited_ns - ended_ns)
        for pid in mine if not self._used else used.keys() - self._used.keys():
            self._groups.update(cgroup.limiting(pid, proc=self._proc))
        self._ours, self._used = known, used
        return self._total_ns

    def _is_ours(self, pid: int) -> bool:
        if pid == os.getpid():
            return True
        try:
            return self._mark in procfs.data(pid, "environ", self._proc).split(b"\0")
        except OSError:
            return False  # ended meanwhile, or the kernel's own

    def _stat(self, pid: int) -> str:
        try:
            return procfs.text(pid, "stat", self._proc)
        except OSError:
            return ""


def _taken_ns(stat: str) -> tuple[int, int]:
    """Return what a process took, and what those took that it has waited for."""
    user, system, *children = [*map(int, stat.rpartition(")")[2].split()[11:15])] or [0] * 4
    return (user + system) * TICK_NS, sum(children) * TICK_NS


def _pressure_ns() -> int | None:
    """Return for how long some process has waited for a processor, in all."""
    try:
        some = _PRESSURE.read_text().splitlines()[0]
    except (OSError, IndexError):
        return None
    return 1000 * int(some.rpartition("total=")[2])
