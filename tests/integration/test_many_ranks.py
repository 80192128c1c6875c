"""More ranks than Linux would learn the addresses of: all join, and train."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.scale import workers
from tests.fakes.scenarios import write
from tests.integration.runs import spanlab

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_ovs, pytest.mark.thorough]

RANKS = 48
"""Which talk to 2,256 others in all: above net.ipv4.neigh.default.gc_thresh3 as it usually is."""


def test_all_ranks_join_and_train(tmp_path: Path) -> None:
    file = write(tmp_path, workers(RANKS))
    done = spanlab("run", file, "--json", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["status"] == "finished"
    assert len(list((tmp_path / "out" / "logs").glob("rank-*.log"))) == RANKS
