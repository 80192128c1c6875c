"""What is demanded of the machine and the spans while training runs, with its tolerances. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from experiments.clocks import Clocks
from experiments.fidelity import (
    RATE_TOLERANCE,
    RTT_TOLERANCE,
    RTT_TOLERANCE_NS,
    SIGMAS,
    Check,
    check_drops,
)
from experiments.processors import TICK_NS, Taken
from topologies.emulation.impairer import LATENESS_EDGES_US, Counters
from topologies.linkstate import ETHERNET_HEADER, LinkState

WINDOW_NS, WINDOW_FRAMES = 10**9, 100
"""What a span did is judged by the second, and longer where less passed: of fewer frames one that
was late would speak for all."""
TAKEN_TOLERANCE = 0.05
"""Of the processors' time: what others take may be missing to steps, of which this is the share
that ranks may compute longer, too."""
WAITED_TOLERANCE = 0.8
"""A run's own ranks wait for each other for up to 0.6 of the time; beside as many endless loops as
processors, something always waits."""
NOT_ALONE = {
    "processors taken by others",
    "processors taken by others in a second",
    "processors stolen by the host",
    "kept from the processors by limits",
    "waiting for processors",
    "standstill",
}
"""Checks that fail where a machine is not the run's own."""
JUMP_TOLERANCE_NS = 1_000_000
"""What clocks may differ by in a trace."""
STALL_TOLERANCE_NS = 100_000_000
"""Two hundred times what a sleeping thread wakes late by on a clean run."""


@dataclass(frozen=True)
class Look:
    """What a look at the machine found.

    Attributes:
        phase: the number of the phase that was in force then, and until the next look.
        stalled_ns: by how much a thread that only sleeps woke too late since the look before.
        others: processor time (ns) by process of nobody's run, where a phase begins or ends.
        when: to say it to people.
    """

    phase: int
    taken: Taken
    clocks: Clocks
    stalled_ns: int
    others: Mapping[tuple[int, str], int]
    when: str


@dataclass(frozen=True)
class Window:
    """What one direction of a span did in a time.

    Attributes:
        lasted_ns: that time, at the most: reading the counters takes a while.
        states: those that it may have been in.
        round_trip_ns: the shortest of the span meanwhile.
    """

    subject: str
    lasted_ns: int
    before: Counters
    after: Counters
    states: tuple[LinkState, ...]
    round_trip_ns: int


@dataclass(frozen=True)
class Astray:
    """A span that was not in the state it should have been in: how often, since when, how."""

    readings: int
    when: str
    how: str


def is_whole(since_ns: int, now_ns: int, before: Counters, after: Counters) -> bool:
    """Return whether a window is long and full enough to be judged."""
    frames = after.delivered - before.delivered
    return now_ns - since_ns >= WINDOW_NS and frames >= WINDOW_FRAMES


def window_checks(window: Window) -> list[Check]:
    """Judge what a span did in a window."""
    return [*_check_lateness(window), _check_pace(window)]


def _check_lateness(window: Window) -> list[Check]:
    """Demand that a span's frames were not late by more than its delay may be off, in the mean.

    A span that hands its frames on later is a longer span: half of what the round trip may be off
    by, each way. Of a frame it is known that it was later than the lower edge of its bucket.
    """
    if (
        not window.after.lateness
        or window.after.delivered - window.before.delivered < WINDOW_FRAMES
    ):
        return []
    earlier = window.before.lateness or [0] * len(window.after.lateness)
    counts = [after - before for before, after in zip(earlier, window.after.lateness, strict=True)]
    edges_us = (0, *LATENESS_EDGES_US)
    late_us = sum(n * edge for n, edge in zip(counts, edges_us, strict=True)) / sum(counts)
    bound_us = (RTT_TOLERANCE_NS + RTT_TOLERANCE * window.round_trip_ns) / 2e3
    ok = late_us <= bound_us
    return [Check("lateness in a second", window.subject, 0, late_us, bound_us, "us", ok)]


def _check_pace(window: Window) -> Check:
    """Demand that a span delivered no more in a window than its rate lets pass.

    Frames may come closer than they were sent: by what the histogram of lateness reaches to, by
    four deviations of the jitter each, and by the whole delay where frames may skip it.
    """
    bits, rates = 8 * (window.after.delivered_bytes - window.before.delivered_bytes), []
    for state in window.states:
        closer_ns = LATENESS_EDGES_US[-1] * 1000.0
        closer_ns += 2 * SIGMAS * state.jitter.deviation_ns if state.jitter else 0
        closer_ns += state.delay_ns if state.reorder else 0
        room = state.rate_bps * (window.lasted_ns + closer_ns) / 1e9
        room += 8 * (state.mtu + ETHERNET_HEADER)
        rates.append((room * (1 + state.duplicate) / window.lasted_ns * 1e9, state.rate_bps))
    most, intended = max(rates)
    measured = bits / window.lasted_ns * 1e9
    return Check(
        name="rate in a second, at most",
        subject=window.subject,
        intended=intended / 1e6,
        measured=measured / 1e6,
        tolerance=(most * (1 + RATE_TOLERANCE) - intended) / 1e6,
        unit="Mbit/s",
        ok=measured <= most * (1 + RATE_TOLERANCE),
    )


def state_checks(astray: Mapping[str, Astray], spans: Collection[tuple[str, int]]) -> list[Check]:
    """Demand that at every reading every span was in the state that was asked for, exactly."""
    checks = []
    for span in dict.fromkeys(span for span, _ in spans):
        found = astray.get(span)
        subject = f"{span}, {found.when}: {found.how}" if found else span
        count = found.readings if found else 0
        checks.append(Check("not as it was set", subject, 0, count, 0, "readings", not count, True))
    return checks


def check_rules(changes: int, told: Sequence[str]) -> Check:
    """Demand that nobody but the controller changed a rule of a switch, for however short."""
    subject = "; ".join(told) or "all switches"
    return Check("rules changed by others", subject, 0, changes, 0, "rules", not changes, True)


def drop_checks(counted: Sequence[tuple[str, Mapping[str, int]]]) -> list[Check]:
    """Demand that nothing was dropped outside a modelled queue, and name the phase where it was.

    ``counted`` holds the drops so far by the phase that had just ended.
    """
    found = []
    for (_, before), (phase, after) in pairwise(counted):
        found += [check for check in check_drops(before, after, phase) if not check.ok]
    return found or [Check("unmodelled drops", "the whole lab", 0, 0, 0, "frames", True, True)]


def machine_checks(looks: Sequence[Look], phases: Sequence[str], processors: int) -> list[Check]:
    """Judge who took the processors in each phase, and whether time went on evenly throughout."""
    checks: list[Check] = []
    pairs: dict[int, list[tuple[Look, Look]]] = {}
    for pair in pairwise(looks):
        pairs.setdefault(pair[0].phase, []).append(pair)
    for index, name in enumerate(phases):
        if within := pairs.get(index):
            checks += _shares(name, within[0][0], within[-1][1], processors)
            checks += _worst_second(name, within, processors)
    checks += [_check_clock(clock, looks) for clock in ("CLOCK_REALTIME", "CLOCK_BOOTTIME")]
    if looks[1:]:
        worst = max(looks[1:], key=lambda look: look.stalled_ns)
        stalled_ms, most_ms = worst.stalled_ns / 1e6, STALL_TOLERANCE_NS / 1e6
        ok = worst.stalled_ns <= STALL_TOLERANCE_NS
        subject = "the machine" if ok else f"the machine, {worst.when}"
        checks.append(Check("standstill", subject, 0, stalled_ms, most_ms, "ms", ok))
    return checks


def taken_by_others(before: Taken, after: Taken, processors: int) -> tuple[float, float]:
    """Return the share of the processors' time that others took, and the most that they may.

    The kernel looks at each processor at every tick to see who has it: four deviations of that.
    """
    whole_ns = processors * (after.at_ns - before.at_ns)
    others_ns = max(0, after.busy_ns - before.busy_ns - (after.ours_ns - before.ours_ns))
    return others_ns / whole_ns, TAKEN_TOLERANCE + SIGMAS * 0.5 / math.sqrt(whole_ns / TICK_NS)


def _worst_second(
    phase: str, pairs: Sequence[tuple[Look, Look]], processors: int
) -> Iterator[Check]:
    """Demand of every second what is demanded of a phase, which may hide a bad one."""
    worst: Check | None = None
    known = pairs[0][0].others
    for before, after in pairs:
        share, most = taken_by_others(before.taken, after.taken, processors)
        subject = phase if share <= most else f"{phase}: {after.when}"
        if share > most:
            taken_ns = round(share * processors * (after.taken.at_ns - before.taken.at_ns))
            subject += f" ({', '.join(culprits(known, after.others, taken_ns))})"
        known = after.others or known
        lasted_ns = after.taken.at_ns - before.taken.at_ns
        if lasted_ns >= 0.9 * WINDOW_NS and (not worst or 100 * share > worst.measured):
            name, unit = "processors taken by others in a second", "% of the time"
            worst = Check(name, subject, 0.0, 100 * share, 100 * most, unit, share <= most)
    if worst:
        yield worst


def _shares(phase: str, begin: Look, end: Look, processors: int) -> Iterator[Check]:
    """Compare what others took in a phase with what may be missing."""
    before, after = begin.taken, end.taken
    passed_ns = after.at_ns - before.at_ns
    whole_ns = processors * passed_ns
    others_share, bound = taken_by_others(before, after, processors)
    others_ns = round(others_share * whole_ns)
    others = "processors taken by others"
    shares = [
        (others, others_share, bound),
        ("processors stolen by the host", (after.stolen_ns - before.stolen_ns) / whole_ns, bound),
    ]
    limited = (after.throttled_ns - before.throttled_ns) / passed_ns
    shares.append(("kept from the processors by limits", limited, TAKEN_TOLERANCE))
    if after.waited_ns is not None and before.waited_ns is not None:
        waited = (after.waited_ns - before.waited_ns) / passed_ns
        shares.append(("waiting for processors", waited, WAITED_TOLERANCE))
    assert {name for name, _, _ in shares} < NOT_ALONE
    for name, share, most in shares:
        ok = share <= most
        named = name == others and not ok
        subject = phase
        if named:
            subject += f" ({', '.join(culprits(begin.others, end.others, others_ns))})"
        yield Check(name, subject, 0.0, 100 * share, 100 * most, "% of the time", ok)


def culprits(
    before: Mapping[tuple[int, str], int], after: Mapping[tuple[int, str], int], taken_ns: int
) -> list[str]:
    """Return the other processes that took a tenth of ``taken_ns`` or more, the three worst.

    Known by their numbers, since the kernel's workers change their names with what they do. Whose
    time has fallen is a new one of that number.
    """
    known = {pid: then for (pid, _), then in before.items()}
    used = {}
    for (pid, name), now in after.items():
        then = known.get(pid, 0)
        used[pid, name] = now - then if now >= then else now
    most = [key for key in sorted(used, key=lambda key: -used[key]) if 10 * used[key] >= taken_ns]
    return [f"{name}, process {pid}" for pid, name in most[:3]] or ["processes that have ended"]


def _check_clock(clock: str, looks: Sequence[Look]) -> Check:
    """Demand that a clock was neither set nor ran on while others stood."""
    worst, when = 0, ""
    for before, after in pairwise(looks):
        jump_ns = after.clocks.jumps_from(before.clocks)[clock]
        unsure_ns = before.clocks.width_ns + after.clocks.width_ns
        if abs(jump_ns) - unsure_ns > abs(worst):
            worst, when = jump_ns, after.when
    ok = abs(worst) <= JUMP_TOLERANCE_NS
    subject = clock if ok else f"{clock}, {when}"
    return Check("clock jump", subject, 0, worst / 1e6, JUMP_TOLERANCE_NS / 1e6, "ms", ok)
