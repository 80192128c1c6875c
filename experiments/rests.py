"""Pauses: time in which nothing was to be trained, and which counts nowhere. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rest:
    """A pause as it was: before which step, and from when to when (CLOCK_MONOTONIC)."""

    step: int
    begin_ns: int
    end_ns: int


def rested_ns(rests: Iterable[Rest], begin_ns: int, end_ns: int) -> int:
    """Return how much of a time was pauses."""
    return sum(max(0, min(it.end_ns, end_ns) - max(it.begin_ns, begin_ns)) for it in rests)
