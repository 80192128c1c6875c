"""The course of a run: what it is to be, which wishes may change, and what of that is to come."""

from __future__ import annotations

from collections import Counter

from experiments.happenings import Happenings, planned_happenings
from experiments.scenario import Scenario
from experiments.twin import Action, Pause, Twin


class Course:
    """A scenario and its twin, and how far they have been followed.

    Attributes:
        scenario, twin: as they are now; of what has happened they do not change.
        next_step: the first that not all ranks have finished.
        paused: how many pauses are over.
    """

    def __init__(self, scenario: Scenario, twin: Twin) -> None:
        """Begin before the first step."""
        self.scenario, self.twin = scenario, twin
        self.next_step = self.paused = 0
        self._made: Counter[tuple[int, str, str]] = Counter()

    @property
    def end(self) -> int:
        """The step before which training ends."""
        return self.scenario.workload.steps

    def change(self, scenario: Scenario, twin: Twin) -> None:
        """Follow another scenario from now on, that has the same past."""
        self.scenario, self.twin = scenario, twin

    def due(self, step: int) -> list[Happenings]:
        """Return what is to happen before a step and has not yet, which it has from now on."""
        made, found = self._made.copy(), []
        for happenings in planned_happenings(self.twin):
            if happenings[0].step > step:
                break
            new = []
            for it in happenings:
                key = (it.step, it.kind, it.target if isinstance(it, Action) else it.span)
                if made[key]:
                    made[key] -= 1
                else:
                    new.append(it)
                    self._made[key] += 1
            if new:
                found.append(new)
        return found

    @property
    def next_pause(self) -> Pause | None:
        """The first pause that was not made yet."""
        pauses = self.twin.pauses
        return pauses[self.paused] if self.paused < len(pauses) else None
