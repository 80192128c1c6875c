"""Where ranks wait between two steps, and where their job ends: shared by a launcher and its ranks.

A launcher says before which step its ranks are to wait, and before which they end; each rank says
which step it begins, then looks. So the launcher knows that no rank has begun a step that it held,
or that it came too late.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Iterator, Sequence

NEVER = 2**62
_END, _HOLD, _RANKS = 0, 1, 2


class Turnstile:
    """Made before ranks are forked, which then have it in common."""

    def __init__(self, ranks: Sequence[int], steps: int) -> None:
        """Take the ranks that pass, and the step before which their job ends."""
        self._places = {rank: place for place, rank in enumerate(ranks)}
        self._shared = memoryview(mmap.mmap(-1, 8 * (_RANKS + len(ranks)))).cast("q")
        self._shared[_END], self._shared[_HOLD] = steps, NEVER
        for place in self._places.values():
            self._shared[_RANKS + place] = -1
        self._wakes = [os.eventfd(0) for _ in ranks]

    def hold(self, step: int) -> int:
        """Let ranks wait before a step, in place of any other; return what `begun` does."""
        self._shared[_HOLD] = step
        self._wake()
        return self.begun()

    def begun(self) -> int:
        """Return the last step that any rank has begun, -1 before the first.

        A rank that looks whether it may begin a step has begun it for that moment.
        """
        time.sleep(0)  # a fence: what was written before is seen before this is read
        return max(self._shared[_RANKS:].tolist(), default=-1)

    def go(self) -> None:
        """Let ranks wait no longer."""
        self.hold(NEVER)

    def end(self, step: int) -> None:
        """Let the job end before a step that no rank has begun; nobody waits there or later."""
        self._shared[_END] = step
        if self._shared[_HOLD] >= step:
            self._shared[_HOLD] = NEVER
        self._wake()

    def steps(self, rank: int, first: int) -> Iterator[int]:
        """Yield the steps that a rank is to train, once it may begin each."""
        step, place = first, self._places[rank]
        while step < self._shared[_END]:
            self._shared[_RANKS + place] = step
            time.sleep(0)  # a fence, as in `begun`
            if step >= self._shared[_HOLD] or step >= self._shared[_END]:
                self._shared[_RANKS + place] = step - 1
                self._wait(place, step)
                continue
            yield step
            step += 1

    def close(self) -> None:
        """Let go of what ranks were woken by; the rest is still to be read."""
        for wake in self._wakes:
            os.close(wake)
        self._wakes = []

    def _wait(self, place: int, step: int) -> None:
        while self._shared[_HOLD] <= step < self._shared[_END]:
            os.eventfd_read(self._wakes[place])

    def _wake(self) -> None:
        for wake in self._wakes:
            os.eventfd_write(wake, 1)
