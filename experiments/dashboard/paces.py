"""Steps of the whole system as their ranks report them, and their coherence so far. Pure.

A run that listens says both itself, in ``live.jsonl``; this is for all others.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from experiments.coherence import PhasePlan
from experiments.pace import Pace


@dataclass
class Paces:
    """Waits until every rank of a leg has ended a step.

    Attributes:
        expected: how many ranks train in each leg.
    """

    expected: list[int] = field(default_factory=list)
    _pace: Pace = field(default_factory=Pace)
    _ended: defaultdict[tuple[int, int], list[int]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _next_step: int = 0

    def started(self, ranks: int) -> None:
        """Learn that a leg begins with so many ranks."""
        self.expected.append(ranks)

    def rested(self, until_ns: int) -> None:
        """Learn that a pause is over."""
        self._pace.rest(until_ns)

    def ended(
        self, leg: int, step: int, end_ns: int, phase: PhasePlan
    ) -> tuple[float, float | None] | None:
        """Return the ms of a step that the last rank has ended, and its coherence where known.

        None where ranks are missing, for the first step, and for one that was made again.
        """
        ends_ns = self._ended[leg, step]
        ends_ns.append(end_ns)
        if leg >= len(self.expected) or len(ends_ns) < self.expected[leg]:
            return None
        del self._ended[leg, step]
        if step < self._next_step:
            return None
        self._next_step = step + 1
        step_ms, coherence = self._pace.after(max(ends_ns), phase)
        return (step_ms, coherence) if step_ms else None
