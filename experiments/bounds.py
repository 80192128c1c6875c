"""How large a network this machine can be expected to emulate faithfully, by what was measured."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from experiments.carrying import Carrying, kept

MEASURED = Path(__file__).with_name("limits.json")
"""Written by ``python -m benchmarks.scale``."""
TRAFFIC = "traffic"
"""The bound that is a share of what switches carry, in per cent; all others are counts."""


@dataclass(frozen=True)
class Bound:
    """The most of something with which runs were faithful.

    Attributes:
        name: of what.
        faithful: the most that was.
        beyond: the least that was not; None where none was seen.
        how: what it was measured with, all else being small.
    """

    name: str
    faithful: int
    beyond: int | None
    how: str

    @property
    def row(self) -> str:
        """Return it as a row of a table in Markdown, as ``docs/limits.md`` has it."""
        beyond = "not reached" if self.beyond is None else f"{self.beyond}"
        return f"| {self.name} | {self.faithful} | {beyond} | {self.how} |"


@dataclass(frozen=True)
class Bounds:
    """What a machine can be expected to emulate.

    Attributes:
        counts: bounds of campuses, hosts, spans and ranks, as far as they were measured.
        cores: of the machine that they were measured on.
        machine: that machine, in words.
        here: processors of this machine.
        share: of what switches carry alone, the most that all workers may send at full rate (%);
            None where nobody has measured it.
        carrying: what the switches of this machine carry; None where nobody has measured it.
    """

    counts: tuple[Bound, ...]
    cores: int
    machine: str
    here: int
    share: Bound | None
    carrying: Carrying | None

    def switched_bps(self, mtu: int) -> int | None:
        """Return what all workers may send at full rate, times the switches that it passes."""
        if self.carrying is None or self.share is None:
            return None
        return round(self.carrying.switched_bps(mtu) * self.share.faithful / 100)

    @property
    def where(self) -> str:
        """Say where the counts were measured, and what that says of this machine."""
        if self.here == self.cores:
            return f"measured on {self.machine}"
        if self.here > self.cores:
            return f"measured on {self.machine}; with {self.here} processors it may be more"
        return f"by the processors here, from what was measured on {self.machine}"

    def to_json(self) -> dict[str, Any]:
        """Return it for scripts; the traffic in bit/s for packets of 1500 and 9000 bytes."""
        counts = {it.name: {"faithful": it.faithful, "beyond": it.beyond} for it in self.counts}
        traffic = {str(mtu): self.switched_bps(mtu) for mtu in (1500, 9000)}
        return {**counts, "switched_bps": traffic, "where": self.where}


def bounds_here() -> Bounds:
    """Return the bounds for this machine."""
    return bounds_for(len(os.sched_getaffinity(0)), kept())


def bounds_for(cpus: int, carrying: Carrying | None) -> Bounds:
    """Return the bounds for a machine of so many processors, whose switches carry so much.

    Counts shrink with fewer processors than they were measured on. They do not grow with more: a
    switch in user space is one thread, and nobody has measured where others end.
    """
    data = _measured()
    share = min(1.0, cpus / data["cores"])
    found = {it.name: it for it in bounds_of(data["counts"])}
    traffic = found.pop(TRAFFIC, None)
    shrunk = tuple(_shrunk(it, share) for it in found.values())
    return Bounds(shrunk, data["cores"], data["machine"], cpus, traffic, carrying)


def bounds_of(data: dict[str, dict[str, Any]]) -> Iterator[Bound]:
    """Yield what was measured, as the file has it."""
    for name, found in data.items():
        yield Bound(name, found["faithful"], found["beyond"], found["how"])


def _shrunk(bound: Bound, share: float) -> Bound:
    if share == 1:
        return bound
    beyond = None if bound.beyond is None else max(2, round(bound.beyond * share))
    return replace(bound, faithful=max(1, int(bound.faithful * share)), beyond=beyond)


@cache
def _measured() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(MEASURED.read_text())
    return data
