"""Follows a trace of states in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from topologies.emulation.errors import ImpairmentError

State = TypeVar("State")


class Replay(Generic[State]):
    """Calls ``put`` with each state of a trace when its time has come, until it is ended."""

    def __init__(
        self, put: Callable[[State], None], trace: Sequence[tuple[int, State]], begin_ns: int
    ) -> None:
        """Start it; offsets (ns) are from ``begin_ns`` (CLOCK_MONOTONIC)."""
        self._put, self._trace, self._begin_ns = put, trace, begin_ns
        self._over = threading.Event()
        self._fault: ImpairmentError | None = None
        self._thread = threading.Thread(target=self._follow, name="replay", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise ImpairmentError when a state did not come into force."""
        if self._fault:
            raise self._fault

    def end(self) -> None:
        """Stop following; see `check`."""
        self._over.set()
        self._thread.join()
        self.check()

    def _follow(self) -> None:
        try:
            for offset_ns, state in self._trace:
                wait_ns = self._begin_ns + offset_ns - time.monotonic_ns()
                if self._over.wait(max(0, wait_ns) / 1e9):
                    return
                self._put(state)
        except ImpairmentError as fault:
            self._fault = fault
