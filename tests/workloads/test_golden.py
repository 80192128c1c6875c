"""Golden arithmetic: synchronous ranks do what one process does with their mean gradient."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.workloads.launcher import ROOT, loopback_job
from workloads import strategies

CASES = [
    ("ddp", "we"),
    ("ddp", "wee"),
    ("hierarchical", "we"),
    ("hierarchical", "wwee"),
    ("hierarchical", "wwweee"),
    ("hierarchical", "wewe"),
    ("hierarchical", "wwe"),
    ("hierarchical", "wwees"),
    ("hierarchical", "www"),
]
"""A strategy, and the site of each rank by its first letter."""


@pytest.mark.parametrize(("strategy", "sites"), CASES)
def test_ranks_follow_the_mean_gradient(tmp_path: Path, strategy: str, sites: str) -> None:
    ranks = len(sites)
    job = loopback_job(tmp_path, ranks, strategy=strategy, gradient_bytes=8_000, bucket_bytes=3_000)
    placed = tuple(replace(rank, site=site) for rank, site in zip(job.ranks, sites, strict=True))
    job = replace(job, ranks=placed)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("ddp_ranks.py")), job.to_json()],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    replicas = np.array(found["ranks"])
    assert replicas.shape == (ranks, 2000)
    assert (replicas == replicas[0]).all(), "replicas are bit-identical"
    reference = np.array(found["reference"])
    # The same sums in another order: float32 carries 24 bits, over four steps.
    np.testing.assert_allclose(replicas[0], reference, rtol=1e-5, atol=1e-7)


def test_every_strategy_has_a_golden_test() -> None:
    assert strategies.names() == sorted({strategy for strategy, _ in CASES})
