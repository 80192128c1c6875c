"""A relay's line that is driven by hand: states and times in, fates out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from topologies.emulation.impairer import Counters
from topologies.emulation.relay.compiled import resolved
from topologies.emulation.relay.queue import DROPPED, Fate, admit, queued_bytes
from topologies.emulation.relay.records import new_line, reseed, state_arrays
from topologies.linkstate import LinkState


@cache
def _admit() -> Callable[..., Fate]:
    admit(new_line([0]), 60, 0, False)
    return resolved(admit)


class HandLine:
    """One direction of a link without devices and without a clock."""

    def __init__(self, state: LinkState, seed: int = 1) -> None:
        self._line = new_line([seed])
        self.set(state)

    def set(self, state: LinkState) -> None:
        """Put a state in force for the frames that follow."""
        self.state = state
        self.follow([(0, state)])

    def reseed(self, seed: int) -> None:
        reseed(self._line, [seed])

    def change(self, **changes: Any) -> None:
        self.set(replace(self.state, **changes))

    def follow(self, trace: list[tuple[int, LinkState]]) -> None:
        states, jitters, patterns = state_arrays(trace)
        self._line = self._line._replace(states=states, jitters=jitters, patterns=patterns)
        self._line.progress[0]["state"] = self._line.progress[0]["place"] = 0

    def fate(self, length: int, now_ns: int, ecn_capable: bool = False) -> Fate:
        return _admit()(self._line, length, now_ns, ecn_capable)

    def admit(self, length: int, now_ns: int) -> int | None:
        """Return when a frame is due, or None where it is dropped."""
        due_ns = self.fate(length, now_ns).due_ns
        return None if due_ns == DROPPED else due_ns

    @property
    def counters(self) -> Counters:
        counts = self._line.counts
        return Counters(**{name: counts[0][name].tolist() for name in counts.dtype.names})

    def waiting_bytes(self, now_ns: int) -> int:
        """Return what is read off as the queue's depth, which changes nothing."""
        return queued_bytes(self._line, now_ns)

    @property
    def queued_bytes(self) -> int:
        return int(self._line.progress[0]["queued_bytes"])

    @property
    def waiting(self) -> list[tuple[int, int]]:
        """``(transmitted_ns, bytes)`` of the frames not yet fully on the wire."""
        first, end = (int(self._line.progress[0][name]) for name in ("first", "end"))
        ring = self._line.waiting
        entries = [ring[place % len(ring)] for place in range(first, end)]
        return [(int(entry["transmitted_ns"]), int(entry["bytes"])) for entry in entries]
