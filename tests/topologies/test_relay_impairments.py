"""What the relay's line does beside rate, queue and delay, frame by frame."""

from __future__ import annotations

import hashlib
import math
import os
import statistics
import subprocess
import sys
from itertools import groupby
from typing import Any

import pytest

from tests.fakes.lines import HandLine
from topologies.jitter import quantiles
from topologies.linkstate import Jitter, LinkState, Loss, Red

MS, S = 10**6, 10**9
EVERYTHING = LinkState(
    10**8,
    5 * MS,
    jitter=Jitter(MS, "pareto", reorder=True),
    loss=Loss(0.01, 0.9, 0.02, 0.2, bit_error_rate=1e-7),
    duplicate=0.02,
    corrupt=0.03,
    reorder=0.04,
    red=Red(20_000, 60_000, 0.1, ecn=True),
    mtu=1500,
)


def fast(seed: int = 1, **fields: Any) -> HandLine:
    return HandLine(LinkState(**{"rate_bps": 10**12, "delay_ns": 5 * MS, **fields}), seed)


def lost_of(line: HandLine, count: int, length: int = 1000) -> list[bool]:
    return [line.admit(length, index * MS) is None for index in range(count)]


def within(count: int, total: int, share: float, clustering: float = 1.0) -> bool:
    """Whether a count lies within 4 sigma of a binomial's mean."""
    return abs(count - total * share) <= 4 * math.sqrt(total * share * (1 - share) * clustering)


def test_losses_come_in_bursts_as_long_as_stated() -> None:
    loss = Loss(bad=1.0, enter=0.01, leave=0.25)
    lost = lost_of(fast(loss=loss), 200_000)
    assert within(sum(lost), len(lost), loss.of_frames(1000), loss.clustering)
    bursts = [len([*run]) for bad, run in groupby(lost) if bad]
    # Geometric lengths: deviation sqrt(1 - r) / r.
    error = math.sqrt(1 - 0.25) / 0.25 / math.sqrt(len(bursts))
    assert statistics.fmean(bursts) == pytest.approx(4.0, abs=4 * error)


def test_longer_frames_lose_more_to_bit_errors() -> None:
    loss = Loss(bit_error_rate=1e-5)
    for length in (100, 9000):
        lost = lost_of(fast(loss=loss), 50_000, length)
        assert within(sum(lost), len(lost), loss.of_frames(length))


def test_a_pattern_is_followed_to_the_frame_and_starts_again() -> None:
    lost = lost_of(fast(loss=Loss(pattern="00110")), 12)
    assert lost == [False, False, True, True, False] * 2 + [False, False]


@pytest.mark.parametrize("kind", ["duplicate", "corrupt", "reorder"])
def test_what_happens_to_some_frames_happens_to_as_many_as_stated(kind: str) -> None:
    chosen: dict[str, Any] = {kind: 0.05}
    line = fast(**chosen)
    fates = [line.fate(1000, index * MS) for index in range(20_000)]
    hit = {
        "duplicate": [fate.copies == 2 for fate in fates],
        "corrupt": [fate.wrong_bit >= 0 for fate in fates],
        "reorder": [fate.due_ns - index * MS < MS for index, fate in enumerate(fates)],
    }
    for name, hits in hit.items():
        assert within(sum(hits), len(hits), 0.05) if name == kind else sum(hits) == 0, name


def test_wrong_bits_are_spread_over_the_whole_frame() -> None:
    line = fast(corrupt=1.0)
    bits = [line.fate(1000, index).wrong_bit for index in range(5000)]
    assert min(bits) < 100
    assert max(bits) > 7900
    assert all(0 <= bit < 8000 for bit in bits)
    assert line.counters.corrupted == 5000


@pytest.mark.parametrize(
    "jitter",
    [
        Jitter(MS),
        Jitter(MS, "uniform"),
        Jitter(MS // 2, "pareto"),
        Jitter.from_table((MS, 2 * MS, 2 * MS, 5 * MS)),
    ],
    ids=lambda jitter: jitter.distribution,
)
def test_jitter_has_the_stated_deviation_and_no_mean(jitter: Jitter) -> None:
    line = fast(delay_ns=50 * MS, jitter=jitter)
    count = 40_000
    delays = []
    for index in range(count):
        due_ns = line.admit(1000, index * 100 * MS)
        assert due_ns is not None
        delays.append(due_ns - index * 100 * MS)
    sigma = jitter.deviation_ns
    kurtosis = statistics.fmean(((d - 50 * MS) / sigma) ** 4 for d in delays)
    assert statistics.fmean(delays) == pytest.approx(50 * MS, abs=4 * sigma / math.sqrt(count) + 10)
    error = 4 * sigma * math.sqrt((kurtosis - 1) / 4 / count)
    assert statistics.pstdev(delays) == pytest.approx(sigma, abs=error)
    table = quantiles(jitter)
    assert min(table) + 50 * MS <= min(delays)
    assert max(delays) <= max(table) + 50 * MS + 10


def test_jitter_keeps_the_order_unless_it_may_not() -> None:
    for reorder in (False, True):
        line = fast(jitter=Jitter(2 * MS, reorder=reorder))
        due = [line.admit(1000, index * MS // 10) or 0 for index in range(1000)]
        assert (due != sorted(due)) is reorder


def test_a_queue_of_packets_counts_packets() -> None:
    line = HandLine(LinkState(10**6, 0, queue_packets=3, mtu=1500))
    assert [line.admit(60, 0) is None for _ in range(5)] == [False, False, False, True, True]
    assert line.counters.queue_drops == 2
    assert line.counters.deepest_bytes == 180


def overload(line: HandLine, ecn_capable: bool) -> None:
    """Offer 1.2 times the rate of 10 Mbit/s for 20 s."""
    for index in range(20_000):
        line.fate(1250, index * MS * 10 // 12, ecn_capable)


def test_red_drops_early_and_keeps_the_queue_short() -> None:
    line = HandLine(LinkState(10**7, MS, queue_bytes=500_000, red=Red(50_000, 150_000, 0.1)))
    overload(line, ecn_capable=True)
    assert line.counters.early_drops > 0
    assert line.counters.marked == 0
    assert line.counters.deepest_bytes < 400_000
    share = (line.counters.early_drops + line.counters.queue_drops) / 20_000
    assert share == pytest.approx(1 - 1 / 1.2, abs=0.03)


def test_red_marks_what_can_be_marked_and_drops_the_rest() -> None:
    state = LinkState(10**7, MS, queue_bytes=500_000, red=Red(50_000, 150_000, 0.1, ecn=True))
    line = HandLine(state)
    overload(line, ecn_capable=True)
    assert line.counters.marked > 0
    assert line.counters.early_drops == 0
    assert line.counters.queue_drops > 0, "nobody heeds the marks, so the tail is dropped"
    other = HandLine(state)
    overload(other, ecn_capable=False)
    assert other.counters.marked == 0
    assert other.counters.early_drops > 0


def test_red_leaves_a_short_queue_alone() -> None:
    line = HandLine(LinkState(10**9, MS, red=Red(50_000, 150_000, 0.1)))
    assert all(line.admit(1000, index * MS) is not None for index in range(2000))


def test_a_trace_is_followed_by_the_clock() -> None:
    line = fast()
    slow = LinkState(10**12, 9 * MS)
    line.follow([(0, line.state), (10 * S, slow), (20 * S, LinkState(1, 0, up=False))])
    assert line.admit(125, 10 * S - 1) == 10 * S - 1 + 1 + 5 * MS
    assert line.admit(125, 10 * S) == 10 * S + 1 + 9 * MS
    assert line.admit(125, 20 * S) is None
    assert line.counters.down_drops == 1


def test_switching_one_impairment_on_leaves_the_fate_by_another() -> None:
    plain = lost_of(fast(loss=Loss(0.3)), 500)
    assert (
        lost_of(fast(loss=Loss(0.3), duplicate=0.5, corrupt=0.5, jitter=Jitter(MS)), 500) == plain
    )


def fates_of(seed: int) -> str:
    """Return a digest of the fates of 3000 frames under every impairment at once."""
    line = HandLine(EVERYTHING, seed)
    digest = hashlib.sha256()
    for index in range(3000):
        fate = line.fate(60 + index * 7 % 1454, index * 90_000, index % 2 == 0)
        digest.update(repr([int(value) for value in fate]).encode())
    return digest.hexdigest()


def test_the_same_seed_and_frames_have_the_same_fate_compiled_or_not() -> None:
    compiled = fates_of(7)
    assert fates_of(7) == compiled
    assert fates_of(8) != compiled
    done = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import fates_of; print(fates_of(7))"],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == compiled
