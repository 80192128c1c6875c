"""Bytes by sender and receiver: those that a job should send, and those that ranks counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from experiments.exchanges import exchanges
from topologies.graph import Host
from workloads import strategies
from workloads.job import Job
from workloads.sizes import Shape

SETTING_UP = 4000
"""Bytes for barriers, and for the order of buckets, which DistributedDataParallel shares once."""
HEADER = 130
"""Bytes of gloo's header of a message and of the notice that it may come, and some."""


def expected_bytes(
    job: Job, sites: str, shapes: Sequence[Shape] | None = None
) -> tuple[dict[tuple[int, int], float], dict[tuple[int, int], float]]:
    """Return by sender and receiver the bytes of a job's exchanges, and those allowed besides."""
    hosts = [Host(str(rank), site, "", "") for rank, site in enumerate(sites)]
    options = strategies.settled(job.strategy, job.options)
    expected: dict[tuple[int, int], float] = defaultdict(float)
    besides: dict[tuple[int, int], float] = defaultdict(lambda: float(SETTING_UP))
    sizes = job.gradient_bytes, job.bucket_bytes
    for exchange in exchanges(hosts, *sizes, job.strategy, options, shapes):
        times = exchange.times(0, job.steps)
        for sender, receiver, moved in exchange.flows:
            pair = int(sender.name), int(receiver.name)
            expected[pair] += moved * times
            for way in (pair, (pair[1], pair[0])):
                besides[way] += HEADER * exchange.messages * times
    return expected, besides


def sent_by_pair(ranks: list[dict[str, Any]]) -> dict[tuple[int, int], int]:
    """Return bytes by sender and receiver: a connection's two ends know each other's ports."""
    owner = {
        tuple(ports.split("-")): rank for rank, it in enumerate(ranks) for ports in it["received"]
    }
    found: dict[tuple[int, int], int] = defaultdict(int)
    for receiver, it in enumerate(ranks):
        for ports, count in it["received"].items():
            own, peer = ports.split("-")
            found[owner.get((peer, own), -1), receiver] += count
    return found
