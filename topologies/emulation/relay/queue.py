"""What a link does to packets, as a pure function of (state, packet length, now).

A frame joins the queue unless that is full, is serialised at the link's rate, may be lost on the
line (it then still took its time on the wire), and is due at the far end one delay later. Frames do
not overtake each other unless the state asks for it.

Every frame draws the same number of random numbers, so that the fate of the n-th frame does not
depend on which impairments are switched on: the same seed and frames give the same drops.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from topologies.emulation.relay.compiled import compiled
from topologies.emulation.relay.records import MAX_WAITING, Line

RED_WEIGHT = 1 / 512
"""Weight of the newest length in RED's average: 0.002, as its authors advise."""
DROPPED = -1


class Fate(NamedTuple):
    """What becomes of a frame: when it is due, or `DROPPED`; how it arrives."""

    due_ns: int
    copies: int
    wrong_bit: int  # -1 for none
    marked: bool


@compiled
def admit(line: Line, length: int, now_ns: int, ecn_capable: bool) -> Fate:
    """Take a frame of ``length`` bytes in and decide its fate.

    ``now_ns`` must not decrease from call to call.
    """
    progress, counts, random = line.progress[0], line.counts[0], line.random
    on_line, channel, twice = random.random(), random.random(), random.random()
    bit, skips, delayed, early = random.random(), random.random(), random.random(), random.random()
    dropped = Fate(DROPPED, 0, -1, False)
    counts["packets"] += 1
    counts["bytes"] += length
    while (
        progress["state"] + 1 < len(line.states)
        and line.states[progress["state"] + 1]["from_ns"] <= now_ns
    ):
        progress["state"] += 1
        progress["place"] = 0
    state = line.states[progress["state"]]
    if state["up"] == 0:
        counts["down_drops"] += 1
        return dropped
    if length > state["frame_bytes"]:
        counts["oversize_drops"] += 1
        return dropped

    _leave_queue(line, now_ns)
    waits = progress["end"] - progress["first"]
    marked = False
    if state["red_max"] > 0 and _red_hits(line, length, now_ns, early):
        if state["ecn"] == 0 or not ecn_capable:
            counts["early_drops"] += 1
            return dropped
        counts["marked"] += 1
        marked = True
    if progress["queued_bytes"] + length > state["queue_bytes"] or waits >= state["queue_packets"]:
        counts["queue_drops"] += 1
        return dropped
    if waits >= MAX_WAITING:
        counts["errors"] += 1
        return dropped
    begin_ns = now_ns
    if waits > 0:
        begin_ns = line.waiting[(progress["end"] - 1) % MAX_WAITING]["transmitted_ns"]
    transmitted_ns = begin_ns + length * 8_000_000_000 // state["rate_bps"]
    slot = line.waiting[progress["end"] % MAX_WAITING]
    slot["transmitted_ns"], slot["bytes"] = transmitted_ns, length
    progress["end"] += 1
    progress["queued_bytes"] += length
    counts["deepest_bytes"] = max(counts["deepest_bytes"], progress["queued_bytes"])

    if _is_lost(line, length, on_line, channel):
        counts["lost"] += 1
        return dropped
    copies, wrong_bit = 1, -1
    if twice < state["duplicate"]:
        counts["duplicated"] += 1
        copies = 2
    if bit < state["corrupt"]:
        counts["corrupted"] += 1
        wrong_bit = int(bit / state["corrupt"] * 8 * length)
    if skips < state["reorder"]:
        return Fate(transmitted_ns, copies, wrong_bit, marked)
    delay_ns = state["delay_ns"]
    if state["jitter"] >= 0:
        delay_ns = max(0, delay_ns + _quantile(line.jitters[state["jitter"]], delayed))
    due_ns = transmitted_ns + delay_ns
    if state["in_order"] != 0:
        due_ns = max(progress["last_due_ns"], due_ns)
    progress["last_due_ns"] = max(progress["last_due_ns"], due_ns)
    return Fate(due_ns, copies, wrong_bit, marked)


def queued_bytes(line: Line, now_ns: int) -> int:
    """Return what waits to be transmitted, without touching it."""
    progress = line.progress[0]
    waiting = line.waiting[np.arange(progress["first"], progress["end"]) % MAX_WAITING]
    return int(waiting["bytes"][waiting["transmitted_ns"] > now_ns].sum())


@compiled
def _leave_queue(line: Line, now_ns: int) -> None:
    """Take the frames that have been transmitted off the queue."""
    progress = line.progress[0]
    while progress["first"] < progress["end"]:
        head = line.waiting[progress["first"] % MAX_WAITING]
        if head["transmitted_ns"] > now_ns:
            break
        progress["queued_bytes"] -= head["bytes"]
        progress["idle_ns"] = head["transmitted_ns"]
        progress["first"] += 1


@compiled
def _red_hits(line: Line, length: int, now_ns: int, draw: float) -> bool:
    """Average the queue's length and ask whether random early detection hits this frame."""
    progress, state = line.progress[0], line.states[line.progress[0]["state"]]
    average = progress["average_bytes"]
    if progress["queued_bytes"] == 0:
        # As if as many small frames as could have been sent meanwhile had found the queue empty.
        missed = (now_ns - progress["idle_ns"]) * state["rate_bps"] / 8e9 / length
        average *= (1 - RED_WEIGHT) ** missed
    else:
        average += RED_WEIGHT * (progress["queued_bytes"] - average)
    progress["average_bytes"] = average
    if average < state["red_min"]:
        progress["spared"] = 0
        return False
    if average >= state["red_max"]:
        progress["spared"] = 0
        return True
    share = (average - state["red_min"]) / (state["red_max"] - state["red_min"])
    probability = state["red_probability"] * share
    # Spread evenly: the later since the last hit, the likelier.
    even = probability / max(1e-9, 1 - progress["spared"] * probability)
    progress["spared"] += 1
    if even < 0 or draw < even:
        progress["spared"] = 0
        return True
    return False


@compiled
def _is_lost(line: Line, length: int, on_line: float, channel: float) -> bool:
    """Ask the line's causes of loss, and turn its channel."""
    progress, state = line.progress[0], line.states[line.progress[0]["state"]]
    kept = 1 - (state["bad"] if progress["bad"] != 0 else state["good"])
    if progress["bad"] != 0:
        if channel < state["leave"] or state["enter"] == 0:
            progress["bad"] = 0
    elif channel < state["enter"]:
        progress["bad"] = 1
    if state["bit_error_rate"] > 0:
        kept *= (1 - state["bit_error_rate"]) ** (8 * length)
    if state["pattern"] >= 0:
        pattern = line.patterns[state["pattern"]]
        if pattern[progress["place"]] == 1:
            kept = 0.0
        progress["place"] += 1
        if pattern[progress["place"]] < 0:
            progress["place"] = 0
    return bool(on_line >= kept)


@compiled
def _quantile(table: Any, draw: float) -> int:
    """Interpolate between the equally spaced quantiles of a table."""
    place = draw * (len(table) - 1)
    low = int(place)
    return int(table[low] + (table[low + 1] - table[low]) * (place - low))
