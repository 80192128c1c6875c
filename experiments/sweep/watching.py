"""Whoever watches a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from experiments.sweep.ended import Ended
from experiments.sweep.points import Point


class Watcher(Protocol):
    """Somebody who watches a sweep."""

    def stage(self, text: str) -> None:
        """Learn what happens now."""

    def begin_sweep(self, total: int, ended: Sequence[Ended]) -> None:
        """Learn how many runs there are, and which have ended before."""

    def ended(self, point: Point, run: Ended) -> None:
        """Learn how a run ended."""
