"""Whether all whose time stamps a run puts side by side have one clock, found out by asking them.

Everybody reads CLOCK_MONOTONIC, which a kernel has one of, unless it gives a process a time
namespace of its own. An answer was read between question and answer, so it bounds how far the other
clock can be ahead or behind, by Cristian's algorithm (Distributed Computing 3, 1989). Where answers
take long by themselves the kernel is asked for the namespace; they must still not contradict it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from experiments.fidelity import Check

MOST_ASKED = 100
"""Times that each is asked, at the most: a busy machine answers late."""
AT_ONCE, PAUSE_S = 20, 0.01
"""So often without a pause; whoever has slept a little is let run sooner after."""
TOLERANCE_NS = 1_000_000
"""How far apart two stamps of one moment may be in a run's trace."""
GOOD_NS = 100_000
"""The bound with which it asks no more at once; after that, the tolerance is good enough."""

Clock = Callable[[], int]


def bound_ns(
    ask: Clock,
    now: Clock = time.monotonic_ns,
    sleep: Callable[[float], None] = time.sleep,
    *,
    ours: bool = False,
) -> int:
    """Return the most by which another clock can differ from ours (ns).

    One that is ``ours``, as the kernel has it, does not, unless an answer says otherwise.
    """
    behind, ahead = -(2**62), 2**62
    for number in range(MOST_ASKED):
        if number >= AT_ONCE:
            if ours or max(abs(behind), abs(ahead)) <= TOLERANCE_NS:
                break
            sleep(PAUSE_S)
        asked_ns, said_ns, heard_ns = now(), ask(), now()
        behind, ahead = max(behind, said_ns - heard_ns), min(ahead, said_ns - asked_ns)
        if max(abs(behind), abs(ahead)) < GOOD_NS:
            break
    return 0 if ours and behind <= 0 <= ahead else max(abs(behind), abs(ahead))


def bounds_ns(clocks: Mapping[str, Clock], ours: Collection[str] = ()) -> dict[str, int]:
    """Return that of each clock, given the names of those that are ours."""
    return {name: bound_ns(ask, ours=name in ours) for name, ask in clocks.items()}


def has_our_clock(pid: int) -> bool:
    """Return whether a process is in our time namespace."""
    try:
        own = Path("/proc/self/ns/time").readlink()
    except FileNotFoundError:
        return True  # before Linux 5.6 there are no others
    return Path(f"/proc/{pid}/ns/time").readlink() == own


def check_clocks(bounds: Mapping[str, int]) -> Check:
    """Compare the clock that may be furthest off with what a trace can bear."""
    worst = max(bounds, key=lambda name: bounds[name])
    return Check(
        name="clock, at most",
        subject=worst,
        intended=0.0,
        measured=bounds[worst] / 1000,
        tolerance=TOLERANCE_NS / 1000,
        unit="us apart",
        ok=bounds[worst] <= TOLERANCE_NS,
    )
