"""Where a rank's time goes adds up, and the slowest rank waits for nobody."""

from __future__ import annotations

import pytest

from experiments.ranktimes import rank_times
from tests.fakes.steps import rank_step


def test_ranks_wait_for_the_slowest_and_then_for_the_network() -> None:
    records = [
        {**rank_step(3, 0, 100, rank=0, exposed_ms=60), "sent": 10, "received": 30},
        {**rank_step(3, 5, 100, rank=1, exposed_ms=20), "sent": 20, "received": 40},
        {**rank_step(4, 100, 200, rank=0, exposed_ms=60), "sent": 30, "received": 30},
        {**rank_step(4, 100, 200, rank=1, exposed_ms=20), "sent": 20, "received": 40},
        rank_step(5, 200, 900, rank=0),  # of another phase
    ]
    fast, slow = rank_times(records, {3, 4})
    assert (fast.rank, fast.compute_ms, fast.wait_ms, fast.network_ms) == (0, 40, 40, 20)
    assert (fast.sent_bytes, fast.received_bytes) == (20, 30)
    assert (slow.rank, slow.wait_ms, slow.network_ms) == (1, 0, 20)
    assert slow.compute_ms == pytest.approx(77.5)


def test_a_rank_that_went_on_alone_waited_for_nobody() -> None:
    records = [rank_step(0, 0, 50, rank=0), rank_step(0, 0, 90, rank=1)]
    assert [rank.wait_ms for rank in rank_times(records, {0})] == [0, 0]
