"""Declared time of work that comes in pieces, between which a rank waits for others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Busy:
    """How long pieces of work took in all; each at least the time that it was declared to take."""

    def __init__(self) -> None:
        """Begin without work."""
        self.spent_ns = 0

    @contextmanager
    def lasting(self, due_ns: float) -> Iterator[None]:
        """Let what happens inside take ``due_ns``, or as long as it needs."""
        begin_ns = time.monotonic_ns()
        yield
        sleep_until(begin_ns + due_ns)
        self.spent_ns += time.monotonic_ns() - begin_ns


def sleep_until(at_ns: float) -> None:
    """Sleep until a time by CLOCK_MONOTONIC, if it lies ahead."""
    remaining_ns = at_ns - time.monotonic_ns()
    if remaining_ns > 0:
        time.sleep(remaining_ns / 1e9)
