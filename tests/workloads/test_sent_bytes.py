"""Bytes really sent: the counters of every connection against what each strategy should move."""

from __future__ import annotations

from collections import defaultdict
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from experiments.exchanges import exchanges
from tests.workloads.launcher import loopback_job, run_ranks
from topologies.graph import Host
from workloads import strategies
from workloads.sizes import layers_for

GRADIENTS, BUCKET, STEPS = 400_000, 100_000, 6
SITES = "wwee"
SETTING_UP = 4000
"""Bytes for barriers, and for the order of buckets, which DistributedDataParallel shares once."""
HEADER = 130
"""Bytes of gloo's header of a message and of the notice that it may come, and some."""

CASES: list[tuple[str, dict[str, Any]]] = [
    ("ddp", {}),
    ("hierarchical", {}),
    ("fp16", {}),
    ("parallel-groups", {"connections": 3}),
    ("int8", {}),
    ("top-k", {"density": 0.1}),
    ("powersgd", {"rank": 2}),
    ("fsdp-hybrid", {}),
    ("pipeline", {"microbatches": 4, "activations": 40_000}),
    ("async-ps", {"staleness": 2}),
    ("serving", {"requests": 4, "request": 20_000, "response": 60_000}),
    ("local-sgd", {"every": 2}),
    ("diloco", {"every": 3}),
    ("streaming-diloco", {"every": 3, "fragments": 2, "delay": 0}),
]


def test_every_strategy_is_counted() -> None:
    assert strategies.names() == sorted(strategy for strategy, _ in CASES)


@pytest.mark.parametrize(("strategy", "stated"), CASES, ids=[name for name, _ in CASES])
def test_ranks_send_what_the_strategy_should(
    tmp_path: Path, strategy: str, stated: dict[str, Any]
) -> None:
    job = loopback_job(
        tmp_path,
        len(SITES),
        strategy=strategy,
        options=stated,
        gradient_bytes=GRADIENTS,
        bucket_bytes=BUCKET,
        steps=STEPS,
    )
    found = run_ranks(job, SITES, layers_for(GRADIENTS, BUCKET), "bytes")
    sent = sent_by_pair(found["ranks"])
    hosts = [Host(str(rank), site, "", "") for rank, site in enumerate(SITES)]
    options = strategies.settled(strategy, stated)
    expected: dict[tuple[int, int], float] = defaultdict(float)
    besides: dict[tuple[int, int], float] = defaultdict(lambda: float(SETTING_UP))
    for exchange in exchanges(hosts, GRADIENTS, BUCKET, strategy, options):
        times = exchange.times(0, STEPS)
        for sender, receiver, moved in exchange.flows:
            pair = int(sender.name), int(receiver.name)
            expected[pair] += moved * times
            for way in (pair, (pair[1], pair[0])):
                besides[way] += HEADER * exchange.messages * times
    assert expected
    for pair in permutations(range(len(SITES)), 2):
        a, b = pair
        if strategy in ("hierarchical", "fsdp-hybrid") and SITES[a] == SITES[b]:
            continue  # what stays in a campus is not told
        assert 0.999 * expected[pair] <= sent[pair] <= expected[pair] + besides[pair], pair


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
