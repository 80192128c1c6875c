"""Moves frames between two devices when they are due."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from topologies.emulation.impairer import LATENESS_EDGES_US
from topologies.emulation.relay.compiled import compiled, monotonic_ns, ppoll, read, write
from topologies.emulation.relay.queue import DROPPED, admit
from topologies.emulation.relay.records import Line, new_line, there

BATCH = 32
"""Frames read from one device before others get their turn: some 50 us."""
SLOTS = 1 << 16
"""Frames that can be under way; memory is taken only for those that ever were at once."""
POLL = np.dtype([("descriptor", np.int32), ("events", np.int16), ("seen", np.int16)])
READABLE = 1
_EDGES_NS = np.array(LATENESS_EDGES_US, np.int64) * 1000
_UNDER_WAY = np.dtype([("due_ns", np.int64), ("slot", np.int64), ("bytes", np.int64)])
_PLACES = np.dtype([("first", np.int64), ("end", np.int64), ("free", np.int64)])


class Direction(NamedTuple):
    """Frames on their way from one device to another.

    ``under_way`` is a ring, sorted by when they are due; ``frames`` holds their bytes, ``free`` the
    indices of the rows that are not in use, of which ``places`` counts.
    """

    source: int
    sink: int
    line: Line
    under_way: Any
    frames: Any
    free: Any
    places: Any


def new_direction(source: int, sink: int, seed: list[int], mtu: int) -> Direction:
    """Return a direction that is down, for frames of packets up to ``mtu`` bytes."""
    places = np.zeros(1, _PLACES)
    places[0]["free"] = SLOTS
    row = -(-(mtu + 64) // 64) * 64
    return Direction(
        source,
        sink,
        new_line(seed),
        under_way=there(np.zeros(SLOTS, _UNDER_WAY)),
        frames=np.empty((SLOTS, row), np.uint8),
        free=np.arange(SLOTS)[::-1].copy(),  # the rows used last are used next: they are cached
        places=places,
    )


@compiled
def pump(forward: Direction, backward: Direction, polls: Any, timespec: Any) -> None:
    """Move frames until the descriptor of the third of ``polls`` has something to say.

    ``polls`` are three of `POLL`: both sources and the control; ``timespec`` is an int64[2].
    """
    while True:
        deliver(forward, timespec)
        deliver(backward, timespec)
        due_ns = min(_next_due(forward), _next_due(backward))
        if due_ns == NEVER:
            ppoll(polls.ctypes.data, 3, 0, 0)
        else:
            wait_ns = max(0, due_ns - monotonic_ns(timespec))
            timespec[0], timespec[1] = wait_ns // 1_000_000_000, wait_ns % 1_000_000_000
            ppoll(polls.ctypes.data, 3, timespec.ctypes.data, 0)
        if polls[0]["seen"] & READABLE:
            receive(forward, timespec)
        if polls[1]["seen"] & READABLE:
            receive(backward, timespec)
        if polls[0]["seen"] & ~READABLE or polls[1]["seen"] & ~READABLE or polls[2]["seen"]:
            return


NEVER = np.iinfo(np.int64).max


@compiled
def _next_due(direction: Direction) -> int:
    places = direction.places[0]
    if places["first"] == places["end"]:
        return NEVER
    due_ns: int = direction.under_way[places["first"] % SLOTS]["due_ns"]
    return due_ns


@compiled
def receive(direction: Direction, timespec: Any) -> None:
    """Read up to `BATCH` frames and admit them."""
    places, counts = direction.places[0], direction.line.counts[0]
    row = direction.frames.shape[1]
    for _ in range(BATCH):
        # The last free row is read into and never given away.
        slot = direction.free[places["free"] - 1]
        frame = direction.frames[slot]
        length = read(direction.source, frame.ctypes.data, row)
        if length <= 0:
            return
        capable = ecn_capable(frame, length)
        fate = admit(direction.line, length, monotonic_ns(timespec), capable)
        if fate.due_ns == DROPPED:
            continue
        if places["free"] <= fate.copies:
            counts["errors"] += 1
            continue
        if fate.marked:
            mark(frame)
        if fate.wrong_bit >= 0:
            frame[fate.wrong_bit // 8] ^= 1 << (fate.wrong_bit % 8)
        places["free"] -= 1
        _enqueue(direction, slot, length, fate.due_ns)
        if fate.copies == 2:
            twin = direction.free[places["free"] - 1]
            for index in range(length):
                direction.frames[twin, index] = frame[index]
            places["free"] -= 1
            _enqueue(direction, twin, length, fate.due_ns)


@compiled
def _enqueue(direction: Direction, slot: int, length: int, due_ns: int) -> None:
    """Put a frame behind those that are due before it or with it."""
    ring, places = direction.under_way, direction.places[0]
    place = places["end"]
    while place > places["first"] and ring[(place - 1) % SLOTS]["due_ns"] > due_ns:
        earlier, here = ring[(place - 1) % SLOTS], ring[place % SLOTS]
        here["due_ns"], here["slot"] = earlier["due_ns"], earlier["slot"]
        here["bytes"] = earlier["bytes"]
        place -= 1
    entry = ring[place % SLOTS]
    entry["due_ns"], entry["slot"], entry["bytes"] = due_ns, slot, length
    places["end"] += 1


@compiled
def deliver(direction: Direction, timespec: Any) -> None:
    """Hand on every frame that is due."""
    places, counts = direction.places[0], direction.line.counts[0]
    while places["first"] < places["end"]:
        entry = direction.under_way[places["first"] % SLOTS]
        late_ns = monotonic_ns(timespec) - entry["due_ns"]
        if late_ns < 0:
            return
        length = entry["bytes"]
        written = write(direction.sink, direction.frames[entry["slot"]].ctypes.data, length)
        direction.free[places["free"]] = entry["slot"]
        places["free"] += 1
        places["first"] += 1
        if written != length:
            counts["errors"] += 1
            continue
        counts["delivered"] += 1
        counts["delivered_bytes"] += length
        bucket = 0
        while bucket < len(_EDGES_NS) and late_ns > _EDGES_NS[bucket]:
            bucket += 1
        counts["lateness"][bucket] += 1


@compiled
def ecn_capable(frame: Any, length: int) -> bool:
    """Ask whether an Ethernet frame carries an IP packet of an ECN-capable transport."""
    if length < 34:
        return False
    if frame[12] == 0x08 and frame[13] == 0x00:
        return bool(frame[15] & 3 != 0)
    if frame[12] == 0x86 and frame[13] == 0xDD:
        return bool(frame[15] >> 4 & 3 != 0)
    return False


@compiled
def mark(frame: Any) -> None:
    """Set "congestion experienced" (RFC 3168) and mend an IPv4 header's checksum (RFC 1624)."""
    if frame[12] == 0x86:
        frame[15] |= 0x30
        return
    old = frame[15]
    frame[15] = old | 3
    total = (~(np.int64(frame[24]) << 8 | frame[25]) & 0xFFFF) + (~np.int64(old) & 0xFFFF)
    total += frame[15]
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~total & 0xFFFF
    frame[24], frame[25] = checksum >> 8, checksum & 0xFF
