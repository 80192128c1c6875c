"""Where the time of each rank's steps goes. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any


@dataclass(frozen=True)
class RankTimes:
    """A rank's mean step: three times in ms that follow one another, and bytes of its frames.

    Attributes:
        compute_ms: until its own gradients were there, and the optimizer's step.
        wait_ms: from then until the slowest rank's were, before which no all-reduce can end.
        network_ms: exchanges that neither computing nor waiting hid.
        sent_bytes, received_bytes: by its network interface, with headers and repeats.
    """

    rank: int
    compute_ms: float
    wait_ms: float
    network_ms: float
    sent_bytes: float
    received_bytes: float


def rank_times(records: Sequence[dict[str, Any]], steps: Collection[int]) -> list[RankTimes]:
    """Return the mean of the given steps, which all ranks finished, by rank."""
    slowest_ns: dict[int, int] = {}
    of_rank: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        if record["step"] in steps:
            of_rank[record["rank"]].append(record)
            step, computed_ns = record["step"], record["computed_ns"]
            slowest_ns[step] = max(slowest_ns.get(step, 0), computed_ns)
    found = []
    for rank, own in sorted(of_rank.items()):
        exposed_ns = [record["exposed_communication_ns"] for record in own]
        # A rank that went on alone did not wait.
        wait_ns = [
            min(exposed, slowest_ns[record["step"]] - record["computed_ns"])
            for record, exposed in zip(own, exposed_ns, strict=True)
        ]
        found.append(
            RankTimes(
                rank=rank,
                compute_ms=fmean(record["compute_ns"] for record in own) / 1e6,
                wait_ms=fmean(wait_ns) / 1e6,
                network_ms=(fmean(exposed_ns) - fmean(wait_ns)) / 1e6,
                sent_bytes=fmean(record["sent"] for record in own),
                received_bytes=fmean(record["received"] for record in own),
            )
        )
    return found
