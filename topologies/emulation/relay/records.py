"""A line as arrays, which compiled code reads: states by time, what is under way, counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from topologies.emulation.impairer import LATENESS_EDGES_US, Counters
from topologies.jitter import POINTS, quantiles
from topologies.linkstate import ETHERNET_HEADER, LinkState

MAX_WAITING = 1 << 16
"""Frames that can wait for or be in transmission; one more counts as an error of the emulator."""

_WHOLE, _REAL = np.int64, np.float64
STATE = np.dtype(
    [
        ("from_ns", _WHOLE),
        ("rate_bps", _WHOLE),
        ("delay_ns", _WHOLE),
        ("jitter", _WHOLE),
        ("in_order", _WHOLE),
        ("good", _REAL),
        ("bad", _REAL),
        ("enter", _REAL),
        ("leave", _REAL),
        ("bit_error_rate", _REAL),
        ("pattern", _WHOLE),
        ("duplicate", _REAL),
        ("corrupt", _REAL),
        ("reorder", _REAL),
        ("queue_bytes", _WHOLE),
        ("queue_packets", _WHOLE),
        ("red_min", _WHOLE),
        ("red_max", _WHOLE),
        ("red_probability", _REAL),
        ("ecn", _WHOLE),
        ("frame_bytes", _WHOLE),
        ("up", _WHOLE),
    ]
)
"""A `LinkState` as the compiled code reads it, in force from a moment on."""
PROGRESS = np.dtype(
    [
        ("state", _WHOLE),  # index of the state in force
        ("bad", _WHOLE),  # whether the Gilbert-Elliott channel is
        ("place", _WHOLE),  # in the loss pattern
        ("first", _WHOLE),  # of the frames that wait, in a ring; `end` is one past the last
        ("end", _WHOLE),
        ("queued_bytes", _WHOLE),
        ("idle_ns", _WHOLE),  # since when nothing waits
        ("average_bytes", _REAL),  # RED's
        ("spared", _WHOLE),  # frames since RED last hit one
        ("last_due_ns", _WHOLE),
    ]
)
WAITING = np.dtype([("transmitted_ns", _WHOLE), ("bytes", _WHOLE)])
UNCOUNTED = ("lateness", "queued_bytes", "read_ns")
"""Counters that are no number, and those that are read off."""
COUNTS = np.dtype(
    [(field.name, _WHOLE) for field in fields(Counters) if field.name not in UNCOUNTED]
    + [("lateness", _WHOLE, (len(LATENESS_EDGES_US) + 1,))]
)


class Line(NamedTuple):
    """One direction of a link, as arrays: `STATE` by time, tables, what is under way, counts.

    ``jitters`` holds a row of delay quantiles (ns) and ``patterns`` a loss pattern (0 or 1, -1 past
    its end) per state; ``progress`` and ``counts`` have one element.
    """

    states: Any
    jitters: Any
    patterns: Any
    progress: Any
    waiting: Any
    counts: Any
    random: Any


def there(ring: Any) -> Any:
    """Return an array all of whose memory has been taken: it is written to from end to end anyway.

    Otherwise a relay would grow until 65,536 frames have come, and wait for every page of it.
    """
    ring.view(np.uint8)[:] = 0
    return ring


def new_line(seed: Sequence[int]) -> Line:
    """Return a line that is down; ``seed`` decides every draw."""
    down = state_arrays([(0, LinkState(rate_bps=1, delay_ns=0, up=False))])
    return Line(
        *down,
        progress=np.zeros(1, PROGRESS),
        waiting=there(np.zeros(MAX_WAITING, WAITING)),
        counts=np.zeros(1, COUNTS),
        random=np.random.Generator(np.random.PCG64(seed)),
    )


def reseed(line: Line, seed: Sequence[int]) -> None:
    """Let a line draw as a new one of that seed, and its channel and patterns begin anew."""
    line.random.bit_generator.state = np.random.PCG64(seed).state
    for name in ("bad", "place"):
        line.progress[0][name] = 0


def state_arrays(trace: Sequence[tuple[int, LinkState]]) -> tuple[Any, Any, Any]:
    """Return the first three fields of a `Line` for states by the time (ns) they begin at."""
    states = np.zeros(len(trace), STATE)
    jitters: list[tuple[int, ...]] = []
    patterns = [state.loss.pattern for _, state in trace]
    for record, (from_ns, state) in zip(states, trace, strict=True):
        table = quantiles(state.jitter) if state.jitter else ()
        if table and table not in jitters:
            jitters.append(table)
        loss, red = state.loss, state.red
        record["from_ns"] = from_ns
        for name in ("rate_bps", "delay_ns", "duplicate", "corrupt", "reorder", "up"):
            record[name] = getattr(state, name)
        for name in ("good", "bad", "enter", "leave", "bit_error_rate"):
            record[name] = getattr(loss, name)
        record["jitter"] = jitters.index(table) if table else -1
        record["in_order"] = not (state.jitter and state.jitter.reorder)
        record["pattern"] = patterns.index(loss.pattern) if loss.pattern else -1
        record["queue_packets"] = state.queue_packets or MAX_WAITING
        stated = state.queue_bytes or not state.queue_packets
        record["queue_bytes"] = state.queue_limit_bytes if stated else np.iinfo(np.int64).max
        record["frame_bytes"] = state.mtu + ETHERNET_HEADER
        if red:
            record["red_min"], record["red_max"] = red.min_bytes, red.max_bytes
            record["red_probability"], record["ecn"] = red.probability, red.ecn
    longest = max(map(len, patterns))
    padded = [[*map(int, pattern), *[-1] * (longest + 1 - len(pattern))] for pattern in patterns]
    return (
        states,
        np.array(jitters, np.float64).reshape(len(jitters), POINTS),
        np.array(padded, np.int8),
    )


def difference(asked: tuple[Any, Any, Any], in_force: tuple[Any, Any, Any]) -> str:
    """Say how two results of `state_arrays` differ, in a few words; nothing where they do not."""
    if all(map(np.array_equal, asked, in_force)):
        return ""
    wanted, found = asked[0], in_force[0]
    if len(wanted) != len(found):
        return f"has {len(found)} states, {len(wanted)} were asked for"
    for one, other in zip(wanted, found, strict=True):
        for name in STATE.names or ():
            if one[name] != other[name]:
                return f"has {name} {other[name]:g}, {one[name]:g} was asked for"
    return "has another jitter or loss pattern than was asked for"
