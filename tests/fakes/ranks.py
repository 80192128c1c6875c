"""Ranks that are steered by hand: what they were told, and how far they say they are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class FakeRanks:
    """In place of `experiments.training.Training`.

    Attributes:
        told: what they were told, in order.
        begun: the last step that any has begun.
    """

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []
        self.begun = -1

    def hold(self, step: int) -> int:
        self.told.append(("hold", step))
        return self.begun

    def go(self) -> None:
        self.told.append(("go", 0))

    def end(self, step: int) -> None:
        self.told.append(("end", step))

    def heard(self) -> list[tuple[str, int]]:
        """Return what they were told since this was last asked."""
        told, self.told = self.told, []
        return told


def able_network() -> Any:
    """Return a network whose spans can be in any state, and ``spans``: that of each, as set."""
    spans: dict[str, Any] = {}
    able = SimpleNamespace(unable=lambda state: None)
    return SimpleNamespace(impairer=able, spans=spans, set_spans=spans.update)
