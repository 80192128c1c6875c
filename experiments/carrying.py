"""What a machine's switches were measured to carry: the figures by which scales are chosen."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

from experiments import durable
from experiments.model.tcp import goodput_share
from topologies.linkstate import ETHERNET_HEADER
from topologies.units import render

KEPT = Path("/var/cache/spanlab/carrying.json")
"""Where a machine's own figures are kept, so that every run of it goes by the same ones."""
SWITCHES = 2
"""That a frame passed when it was measured: one at each end of a span."""


@dataclass(frozen=True)
class Carrying:
    """What a machine was measured to carry.

    Attributes:
        goodput_bps: of one TCP connection over a span between two switches, by MTU (B).
        path_ns: the round trip that those switches take by themselves.
        machine: which one, in words.
    """

    goodput_bps: tuple[tuple[int, int], ...]
    path_ns: int
    machine: str

    def switched_bps(self, mtu: int) -> float:
        """Return the wire rate of full frames times the switches that they pass.

        A frame costs a switch a time that grows by its length: linear between and beyond the MTUs
        that were measured.
        """
        points = [(it, self._frame_ns(it, bps)) for it, bps in self.goodput_bps]
        (small, least_ns), (large, most_ns) = points[0], points[-1]
        slope = (most_ns - least_ns) / (large - small) if large > small else 0.0
        frame_ns = max(least_ns / 2, least_ns + slope * (mtu - small))
        return 8e9 * (mtu + ETHERNET_HEADER) / frame_ns

    @property
    def in_words(self) -> str:
        """Say what was measured."""
        each = [f"{render(bps, 'rate')} at MTU {mtu}" for mtu, bps in self.goodput_bps]
        path = render(self.path_ns, "duration")
        return f"{' and '.join(each)}; their round trip takes {path}"

    @staticmethod
    def _frame_ns(mtu: int, goodput_bps: int) -> float:
        wire_bps = goodput_bps / goodput_share(mtu)
        return 8e9 * (mtu + ETHERNET_HEADER) / wire_bps / SWITCHES


REFERENCE = Carrying(
    goodput_bps=((1500, 665_000_000), (9000, 1_815_000_000)),
    path_ns=500_000,
    machine="the reference machine (this one was not measured: spanlab doctor --measure)",
)


def kept() -> Carrying | None:
    """Return this machine's own figures; None where it was not measured, or has changed since."""
    try:
        data = json.loads(KEPT.read_text())
        if data["identity"] != identity():
            return None
        points = tuple((int(mtu), int(bps)) for mtu, bps in data["goodput_bps"])
        return Carrying(points, int(data["path_ns"]), str(data["machine"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def known() -> Carrying:
    """Return this machine's own figures, or those of the reference machine, which say so."""
    return kept() or REFERENCE


def keep(carrying: Carrying) -> None:
    """Keep this machine's figures."""
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    durable.write(KEPT, json.dumps({"identity": identity(), **asdict(carrying)}, indent=1))


def identity() -> str:
    """Return what a machine is recognised by."""
    return f"{platform.machine()} {platform.release()}, {len(os.sched_getaffinity(0))} processors"
