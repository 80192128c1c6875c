"""A slope that is there is found, noise is none, and no frame goes missing unseen."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.growth import growth
from benchmarks.soak import REFERENCE_STEPS, judged, missing, own_bytes, plan, twin_with
from topologies.emulation.impairer import Counters

MB = 1e6
TIMES_S = np.arange(0, 900, 5.0)


def noise(seed: int, deviation: float = 0.2 * MB) -> np.ndarray:
    """Return noise that remembers, as memory does."""
    draws = np.random.default_rng(seed).normal(0, deviation, len(TIMES_S))
    return np.convolve(draws, np.ones(6) / 6, mode="same")


@pytest.mark.parametrize("seed", range(5))
def test_a_leak_is_found_and_noise_is_flat(seed: int) -> None:
    level = 100 * MB + noise(seed)
    flat = growth(TIMES_S, level)
    assert flat.is_flat(0.1, 8 * MB, 120)
    leaking = growth(TIMES_S, level + 0.3 * MB * TIMES_S / 60)
    assert not leaking.is_flat(0.1, 8 * MB, 120)
    assert leaking.low < 0.3 * MB < leaking.high
    assert leaking.lasted_min == pytest.approx(895 / 60)


def test_what_is_sure_but_would_not_matter_is_flat() -> None:
    seen = growth(TIMES_S, 100 * MB + 0.01 * MB * TIMES_S / 60)
    assert seen.low > 0
    assert seen.is_flat(0.1, 8 * MB, 120)
    assert not seen.is_flat(0.0, 1 * MB, 120)


def test_a_step_that_was_taken_once_is_no_slope() -> None:
    stairs = np.where(TIMES_S > 300, 12.0, 10.0)
    assert growth(TIMES_S, stairs).per_min == 0


def test_only_processes_that_lived_all_the_time_are_judged() -> None:
    long = [(float(at), int(100 * MB), 10) for at in TIMES_S]
    seen = {(1, "relay"): long, (2, "ping"): long[:3], (3, "late"): long[150:]}
    ((name, (memory, files)),) = judged(seen).items()
    assert name == "relay (1)"
    assert (memory.per_min, files.per_min, memory.size) == (0, 0, 100 * MB)
    assert memory.lasted_min < 13, "the first minutes are left out"


def test_memory_is_what_is_no_file_s() -> None:
    rollup = (
        "0-1 ---p 0 0 [rollup]\nRss:  900 kB\nAnonymous:     10 kB\nSwap:  2 kB\nSwapPss: 1 kB\n"
    )
    assert own_bytes(rollup) == 12 * 1024


def test_every_frame_is_accounted_for_or_told() -> None:
    whole = Counters(packets=100, delivered=92, duplicated=2, lost=4, queue_drops=5, down_drops=1)
    assert missing("a-b", "forward", whole) == []
    (told,) = missing("a-b", "forward", replace(whole, lost=3))
    assert told.startswith("a-b forward: 100 frames offered, 99 accounted for")


def test_as_many_changes_are_planned_as_are_asked_for() -> None:
    asked = plan(15, 2000, 200)
    assert (asked.changes, asked.upgrades) == (2000, 200)
    scenario, twin = twin_with(plan(3, 2000, 200), seed=4)
    kinds = Counter(change.kind for change in twin.changes)
    assert kinds == {"set": 400, "upgrade": 40}
    steps = [change.step for change in twin.changes]
    assert REFERENCE_STEPS <= min(steps) <= max(steps) < scenario.workload.steps
    assert twin_with(plan(3, 2000, 200), seed=4)[1].changes == twin.changes
