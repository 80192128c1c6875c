"""What is predicted: a training job, the way its traffic goes, and what comes out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from topologies.tcp import INITIAL_WINDOW, RTO_MIN_NS, WINDOW_BYTES

Crossings = Mapping[tuple[str, str], tuple[tuple[str, int], ...]]
"""Of every ordered pair of sites, the spans crossed in turn; 0 is from first to second campus.
None for two different sites means that no way leads there."""

Cause = Literal["compute", "bandwidth", "latency", "loss", "window", "outage"]
CAUSES: tuple[Cause, ...] = ("compute", "bandwidth", "latency", "loss", "window", "outage")

TWIN_OVERHEAD_S = 0.035
"""What an emulated step takes beyond compute and communication: hashing parameters, the optimizer,
ranks that wait for a processor. Grade: calibrated, once for all, on 39 other points (2 to 6 ranks,
1 to 40 ms, 50 and 100 Mbit/s). The reference phase does not tell it: at 400 Mbit/s and six ranks
the switches themselves are the limit."""
LAYERS = 8, 64
FORWARD_SHARE = 1 / 3
"""Layers and pace of the trained model, as `workloads.sizes` and `workloads.compute` have them."""


@dataclass(frozen=True)
class Job:
    """A training job, in real or in emulated quantities.

    Attributes:
        sites: the campus of each rank, in rank order; ranks of a campus are neighbours.
        gradient_bytes: averaged per synchronisation.
        bucket_bytes: gradients are averaged in buckets of about this size.
        compute_s: forward and backward of one step.
        strategy: ``ddp`` or ``hierarchical``.
        period: steps between synchronisations; above 1 parameters are averaged, after a step.
        overlap: whether buckets meet beside backward; else all do after it.
        access_bps: smallest wire rate of a worker's own link.
        mtu: largest IP packet, bytes.
        window_bytes: the most that TCP keeps unacknowledged.
        rto_min_s: TCP's smallest retransmission timeout.
        initial_window: segments that TCP begins with, and begins again with after that timeout.
        fabric_rtt_s: round trip between two workers of a campus.
        overhead_s: what a step takes beyond compute and communication; measure it where one can.
        layers: by layer, in the order of forward, the bytes of each parameter; their passes take
            that share of the time. Without it, equal layers as the synthetic task has.
    """

    sites: tuple[str, ...]
    gradient_bytes: int
    bucket_bytes: int
    compute_s: float
    strategy: Literal["ddp", "hierarchical"] = "ddp"
    period: int = 1
    overlap: bool = True
    congestion_control: Literal["reno", "cubic", "bbr"] = "reno"
    access_bps: float = 400e9
    mtu: int = 9000
    window_bytes: int = WINDOW_BYTES
    rto_min_s: float = RTO_MIN_NS / 1e9
    initial_window: int = INITIAL_WINDOW
    fabric_rtt_s: float = 0.0
    overhead_s: float = 0.0
    layers: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.period < 1 or self.gradient_bytes < 4 or self.bucket_bytes < 1:
            raise ValueError("period, gradients and buckets must be above 0")
        if self.strategy not in ("ddp", "hierarchical"):
            raise ValueError(f"no model of the strategy {self.strategy}: ddp, hierarchical")
        if self.congestion_control not in ("reno", "cubic", "bbr"):
            raise ValueError(f"no model of TCP {self.congestion_control}: reno, cubic, bbr")

    @property
    def campuses(self) -> tuple[tuple[str, int], ...]:
        """Sites and how many ranks each has, in rank order."""
        return tuple((site, len(list(ranks))) for site, ranks in groupby(self.sites))

    @property
    def slices(self) -> int:
        """Parallel rings between campuses, each of which moves that share of a bucket."""
        sizes = {count for _, count in self.campuses}
        return sizes.pop() if self.strategy == "hierarchical" and len(sizes) == 1 else 1

    @property
    def ring(self) -> tuple[str, ...]:
        """The sites of one ring between campuses, in order."""
        if self.strategy == "ddp":
            return self.sites
        return tuple(site for site, _ in self.campuses)

    def buckets(self) -> list[tuple[float, float]]:
        """Return ``(bytes, s after the step's start)`` of each bucket, in the order of readiness.

        Layers become ready from the last to the first over backward's two thirds; a bucket closes
        with the parameter that fills it (DistributedDataParallel). Where parameters are averaged,
        or nothing overlaps, all are ready at the step's end.
        """
        found, held, done = [], 0.0, 0.0
        sizes = [size for layer in self._layers for size in layer]
        for layer in reversed(self._layers):
            done += sum(layer) / sum(sizes)
            for size in reversed(layer):
                held += size
                if held >= self.bucket_bytes - 4:
                    found.append((held, self._ready_s(done)))
                    held = 0.0
        if held:
            found.append((held, self._ready_s(1.0)))
        return found

    @property
    def _layers(self) -> Sequence[tuple[float, ...]]:
        if self.layers:
            return self.layers
        least, most = LAYERS
        wanted = 2 * math.ceil(self.gradient_bytes / self.bucket_bytes)
        count = max(1, min(max(least, wanted), most, self.gradient_bytes // 4))
        return [(self.gradient_bytes / count,)] * count

    def _ready_s(self, done: float) -> float:
        passed = FORWARD_SHARE + (1 - FORWARD_SHARE) * done
        overlaps = self.overlap and self.period == 1
        return self.compute_s * (passed if overlaps else 1.0)


@dataclass(frozen=True)
class Prediction:
    """What a step takes, and why.

    Attributes:
        step_s: the long-run mean; ``low_s`` to ``high_s`` hold the mean over tens of steps.
        dominant: the cause with the largest term.
        terms: by cause, the step's time less what it would be without that cause alone. Causes
            that hide behind each other have small terms both; terms need not add up to the step.
    """

    step_s: float
    low_s: float
    high_s: float
    dominant: Cause
    terms: dict[Cause, float] = field(default_factory=dict)
