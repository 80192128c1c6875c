"""What a link does to packets, as a pure function of (state, packet length, now).

A frame joins the queue unless that is full, is serialised at the link's rate, may be lost on the
line (it then still took its time on the wire), and is due at the far end one delay later. Frames
never overtake each other.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random

from topologies.emulation.impairer import Counters
from topologies.linkstate import LinkState

ETHERNET_HEADER = 14


@dataclass
class Line:
    """One direction of a link: its state, its queue as lengths and times, its counters.

    Attributes:
        state: what is in force for the frames that arrive from now on.
        random: the source of every loss.
        counters: what has happened.
        waiting: ``(transmitted_ns, bytes)`` of the frames not yet fully on the wire.
    """

    state: LinkState
    random: Random
    counters: Counters = field(default_factory=Counters)
    waiting: deque[tuple[int, int]] = field(default_factory=deque)
    queued_bytes: int = 0
    last_due_ns: int = 0

    def admit(self, length: int, now_ns: int) -> int | None:
        """Take a frame of ``length`` bytes in; return when it is due, or None when it is dropped.

        ``now_ns`` must not decrease from call to call.
        """
        state, counters, waiting = self.state, self.counters, self.waiting
        counters.packets += 1
        counters.bytes += length
        if not state.up:
            counters.down_drops += 1
            return None
        if length > state.mtu + ETHERNET_HEADER:
            counters.oversize_drops += 1
            return None
        while waiting and waiting[0][0] <= now_ns:
            self.queued_bytes -= waiting.popleft()[1]
        if self.queued_bytes + length > state.queue_bytes:
            counters.queue_drops += 1
            return None
        begin_ns = waiting[-1][0] if waiting else now_ns
        transmitted_ns = begin_ns + length * 8_000_000_000 // state.rate_bps
        waiting.append((transmitted_ns, length))
        self.queued_bytes += length
        if state.loss and self.random.random() < state.loss:
            counters.lost += 1
            return None
        self.last_due_ns = max(self.last_due_ns, transmitted_ns + state.delay_ns)
        return self.last_due_ns
