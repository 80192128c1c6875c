"""The pace of training as it goes on: step times, and coherence so far. Pure."""

from __future__ import annotations

from collections import deque
from statistics import fmean, median

from experiments.coherence import PhasePlan


class Pace:
    """Takes the ends of steps, and tells step time and coherence against the last reference.

    Where ranks meet every ``period`` steps, coherence is that of the last so many of the phase.
    """

    def __init__(self) -> None:
        """Begin before the first step."""
        self._last_ns = 0
        self._period = 1
        self._phase: PhasePlan | None = None
        self._reference_ms: list[float] = []
        self._recent_ms: deque[float] = deque(maxlen=1)

    def rest(self, until_ns: int) -> None:
        """Let the next step last from then on."""
        self._last_ns = until_ns

    def train_by(self, period: int) -> None:
        """Take note that ranks meet every so many steps from now on."""
        if period != self._period:
            self._period, self._recent_ms = period, deque(maxlen=period)

    def after(self, end_ns: int, phase: PhasePlan) -> tuple[float, float | None]:
        """Return how long the step that ended took (ms), and coherence, if any is known."""
        step_ms = (end_ns - self._last_ns) / 1e6 if self._last_ns else 0.0
        self._last_ns = end_ns
        if phase is not self._phase:
            self._phase = phase
            self._recent_ms.clear()
            if phase.reference:
                self._reference_ms = []
        if phase.reference:
            self._reference_ms.append(step_ms)
            return step_ms, None
        self._recent_ms.append(step_ms)
        usual = self._reference_ms
        if not usual or len(self._recent_ms) < self._period:
            return step_ms, None
        if self._period == 1:
            return step_ms, median(usual) / step_ms
        # Of the reference, whole periods but the first, in which connections are new.
        whole = usual[: len(usual) // self._period * self._period]
        later = whole[self._period :] or usual
        return step_ms, fmean(later) / fmean(self._recent_ms)
