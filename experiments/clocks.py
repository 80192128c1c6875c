"""Whether time itself went on evenly: steps of clocks, suspended and stalled machines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from topologies.emulation.priority import take

READINGS = 3
"""Of which the one that was interrupted least counts."""
PULSE_S = 0.05
PULSE = 1
"""Its priority under SCHED_FIFO: below all that carries packets, above all that trains."""


@dataclass(frozen=True)
class Clocks:
    """The machine's clocks, read at once; in ns.

    Attributes:
        monotonic_ns: what everything in a run is timed by; it is never set.
        realtime_ns: the time of day, which can be set.
        boottime_ns: like the first, but it also runs while the machine is suspended.
        width_ns: how long reading them took, and so how far they may be apart.
    """

    monotonic_ns: int
    realtime_ns: int
    boottime_ns: int
    width_ns: int

    def jumps_from(self, before: Clocks) -> dict[str, int]:
        """Return by how much (ns) clocks have moved against CLOCK_MONOTONIC since, by name.

        Adjusting the rate of a clock, as NTP does, moves none of them against another.
        """
        passed_ns = self.monotonic_ns - before.monotonic_ns
        return {
            "CLOCK_REALTIME": self.realtime_ns - before.realtime_ns - passed_ns,
            "CLOCK_BOOTTIME": self.boottime_ns - before.boottime_ns - passed_ns,
        }


def read_clocks() -> Clocks:
    """Read the machine's clocks, as close to each other as it gets."""
    return min((_read_once() for _ in range(READINGS)), key=lambda found: found.width_ns)


def _read_once() -> Clocks:
    begin_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    realtime_ns = time.clock_gettime_ns(time.CLOCK_REALTIME)
    boottime_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    end_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return Clocks((begin_ns + end_ns) // 2, realtime_ns, boottime_ns, end_ns - begin_ns)


class Pulse:
    """A thread that wakes twenty times a second and notices when it could not.

    At real-time priority, where that is permitted, so that busy processors do not keep it from
    that: what does is a machine that stood still, such as one whose host has paused it.
    """

    def __init__(self, sleep: Callable[[float], bool] | None = None) -> None:
        """Start it; ``sleep`` waits for some seconds and returns whether it is to end."""
        self._over = threading.Event()
        self._sleep = sleep or self._over.wait
        self._worst_ns = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)
        self._thread.start()

    def latest_ns(self) -> int:
        """Return by how much it woke too late since this was asked last, at the most."""
        with self._lock:
            worst_ns, self._worst_ns = self._worst_ns, 0
        return worst_ns

    def close(self) -> None:
        """End it."""
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        take(PULSE)
        asleep_ns = time.monotonic_ns()
        while not self._sleep(PULSE_S):
            now_ns = time.monotonic_ns()
            late_ns = now_ns - asleep_ns - int(PULSE_S * 1e9)
            with self._lock:
                self._worst_ns = max(self._worst_ns, late_ns)
            asleep_ns = time.monotonic_ns()
