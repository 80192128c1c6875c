"""What the packets of a flow say of the link they crossed: pure estimators.

Those of time take arrays of one row per probing, so that the probing that was made and thousands
that are simulated (see `experiments.chances`) go through the same code.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from topologies.emulation.prober import summarise

WARM_UP = 5
"""First packets of a flow, whose times do not count: they pay for the switches' look-ups."""
LATEST_SHARE = 0.05
"""The latest packets, left out of the deviation: a stall of a machine with few cores makes several
of them late, each by milliseconds."""


@dataclass(frozen=True)
class Flow:
    """Packets sent one way: ``seen`` holds (sequence, sent ns, received ns) as they arrived."""

    sent: int
    seen: tuple[tuple[int, int, int], ...]

    @property
    def first_copies(self) -> list[tuple[int, int, int]]:
        """Return what arrived without duplicates, by sequence number."""
        first: dict[int, tuple[int, int, int]] = {}
        for packet in self.seen:
            first.setdefault(packet[0], packet)
        return sorted(first.values())

    @property
    def lost(self) -> int:
        """Return how many packets never arrived."""
        return self.sent - len(self.first_copies)

    @property
    def duplicated(self) -> int:
        """Return how many packets arrived once more."""
        return len(self.seen) - len(self.first_copies)

    @property
    def bursts(self) -> list[int]:
        """Return the lengths of the runs of packets lost one after the other."""
        arrived = [-1, *(sequence for sequence, _, _ in self.first_copies), self.sent]
        return [later - earlier - 1 for earlier, later in pairwise(arrived) if later > earlier + 1]

    @property
    def times(self) -> tuple[Any, Any]:
        """Return when packets were sent and received (ns since the first) but for the warm-up."""
        steady = [packet[1:] for packet in self.first_copies if packet[0] >= WARM_UP]
        times = np.array(steady, np.int64).reshape(-1, 2)
        times -= times[:1, :1]
        return times[:, 0], times[:, 1]


def median_delay(sent: Any, received: Any) -> Any:
    """Return the median one-way delay (ns) of each row; ``sent`` may be of one row for all."""
    return np.median(received - sent, axis=1)


def deviation(sent: Any, received: Any) -> Any:
    """Return the standard deviation (ns) of each row's delays, the latest left out."""
    delays = np.sort(received - sent, axis=1)
    kept = math.ceil(delays.shape[1] * (1 - LATEST_SHARE))
    return delays[:, :kept].std(axis=1)


def interarrival_jitter(sent: Any, received: Any) -> Any:
    """Return the median of each row's interarrival jitter (ns), which runs from packet to packet.

    By RFC 3550, section 6.4.1: J += (|D| - J) / 16, D the change of the delay between one arrival
    and the next. Its last value, which senders report, hangs on the last sixteen packets alone.
    """
    order = np.argsort(received, axis=1, kind="stable")
    delays = np.take_along_axis(received - sent, order, axis=1)
    changes = np.abs(np.diff(delays, axis=1)).astype(float)
    running = np.empty_like(changes)
    jitter = changes[:, :16].mean(axis=1)
    for index in range(changes.shape[1]):
        jitter = jitter + (changes[:, index] - jitter) / 16
        running[:, index] = jitter
    return np.median(running, axis=1)


def reordered(sent: Any, received: Any) -> Any:
    """Count in each row the packets that a later one has overtaken (RFC 4737, section 3.3)."""
    earliest_later = np.minimum.accumulate(received[:, :0:-1], axis=1)[:, ::-1]
    return (received[:, :-1] > earliest_later).sum(axis=1)


def wire_rate_bps(flow: Flow, frame_bytes: int) -> float:
    """Return the rate at which a train that kept a link busy left it; 0 if it is too short."""
    arrivals = {sequence: received_ns for sequence, _, received_ns in reversed(flow.seen)}
    summary = summarise(sorted(arrivals.items()), frame_bytes, flow.sent)
    return float(summary["rate_bps"])


def spacings_ns(flow: Flow, skip: int) -> list[int]:
    """Return the times between the arrivals of packets with neighbouring numbers, sorted.

    The first ``skip`` are left out, which found the link idle.
    """
    return sorted(
        later[2] - earlier[2]
        for earlier, later in pairwise(flow.seen)
        if later[0] == earlier[0] + 1 and earlier[0] >= skip
    )


def mean_burst(bursts: Iterable[int]) -> float | None:
    """Return the mean length of bursts of loss, or None where nothing was lost."""
    found = list(bursts)
    return statistics.fmean(found) if found else None
