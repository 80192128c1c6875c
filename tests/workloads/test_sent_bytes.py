"""Bytes really sent: the counters of every connection against what each strategy should move."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.launcher import loopback_job, run_ranks
from tests.workloads.sent import expected_bytes, sent_by_pair
from workloads import strategies
from workloads.sizes import layers_for

GRADIENTS, BUCKET, STEPS = 400_000, 100_000, 6
SITES = "wwee"

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
    expected, besides = expected_bytes(job, SITES)
    assert expected
    for pair in permutations(range(len(SITES)), 2):
        a, b = pair
        if strategy in ("hierarchical", "fsdp-hybrid") and SITES[a] == SITES[b]:
            continue  # what stays in a campus is not told
        assert 0.999 * expected[pair] <= sent[pair] <= expected[pair] + besides[pair], pair
