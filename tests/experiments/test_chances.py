"""Bounds that a correct link keeps and a wrong one does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from experiments import arrivals
from experiments.chances import (
    TAIL,
    Bounds,
    Simulation,
    binomial_bounds,
    burst_bounds,
    loss_bounds,
)
from topologies.linkstate import Jitter, LinkState, Loss

MS = 1_000_000
FRAME = 86
SENT = np.arange(500) * 4 * MS
ESTIMATES = {
    "delay": arrivals.median_delay,
    "deviation": arrivals.deviation,
    "interarrival": arrivals.interarrival_jitter,
    "overtaken": arrivals.reordered,
}


def way(loss: Loss | None = None, **changes: Any) -> LinkState:
    return LinkState(10**7, 5 * MS, loss=loss or Loss(), **changes)


def lost_on(loss: Loss, frames: int, seed: int) -> list[bool]:
    """Draw a channel's losses, one frame after the other."""
    random = np.random.default_rng(seed)
    bad = random.random() < (loss.enter / (loss.enter + loss.leave) if loss.enter else 0)
    lost = []
    for _ in range(frames):
        lost.append(bool(random.random() < (loss.bad if bad else loss.good)))
        bad = not random.random() < loss.leave if bad else random.random() < loss.enter
    return lost


def test_what_never_happens_must_not_happen_once() -> None:
    assert binomial_bounds(10_000, 0.0) == Bounds(0, 0, 0)
    assert loss_bounds(way(), FRAME, 10_000) == Bounds(0, 0, 0)
    assert loss_bounds(way(up=False), FRAME, 100) == Bounds(100, 100, 100)


@given(st.integers(1, 3000), st.floats(0.0001, 0.9999))
@settings(max_examples=50, deadline=None)
def test_a_bernoulli_loss_is_binomial(frames: int, loss: float) -> None:
    bounds = loss_bounds(way(Loss(loss)), FRAME, frames)
    assert binom.cdf(bounds.low - 1, frames, loss) <= TAIL
    assert binom.sf(bounds.high, frames, loss) <= TAIL * (1 + 1e-6)
    assert bounds.low <= bounds.mean <= bounds.high


def test_a_channel_that_forgets_at_once_is_binomial_too() -> None:
    forgetful = Loss(bad=1.0, enter=0.1, leave=0.9)
    assert loss_bounds(way(forgetful), FRAME, 800) == loss_bounds(way(Loss(0.1)), FRAME, 800)


@pytest.mark.parametrize(
    "loss",
    [
        Loss(0.03),
        Loss(bad=1.0, enter=0.01, leave=0.25),
        Loss(good=0.01, bad=0.6, enter=0.02, leave=0.1),
    ],
    ids=["bernoulli", "gilbert", "gilbert-elliott"],
)
def test_a_drawn_channel_keeps_its_bounds_and_another_does_not(loss: Loss) -> None:
    counts, bursts = [], 0.0
    for seed in range(200):
        lost = lost_on(loss, 500, seed)
        flow = arrivals.Flow(500, tuple((n, 0, 0) for n, gone in enumerate(lost) if not gone))
        assert loss_bounds(way(loss), FRAME, 500).admit(flow.lost)
        likely = burst_bounds(way(loss), FRAME, len(flow.bursts))
        if likely:
            mean = arrivals.mean_burst(flow.bursts)
            assert mean is not None and likely.admit(mean)
            bursts += likely.mean * len(flow.bursts) - flow.lost
        counts.append(flow.lost)
    assert abs(bursts) < 0.05 * sum(counts), "the stated mean is the mean"
    assert np.mean(counts) == pytest.approx(500 * loss.of_frames(FRAME), rel=0.1)
    assert not loss_bounds(way(Loss(0.5)), FRAME, 500).admit(float(np.mean(counts)))


def test_long_bursts_need_wider_bounds_than_losses_one_by_one() -> None:
    alone = loss_bounds(way(Loss(0.04)), FRAME, 1000)
    bursts = loss_bounds(way(Loss(bad=1.0, enter=0.04 / 24, leave=0.04)), FRAME, 1000)
    assert bursts.mean == pytest.approx(alone.mean)
    assert bursts.high > 2 * alone.high


def test_a_pattern_leaves_no_room() -> None:
    bounds = loss_bounds(way(Loss(pattern="0001")), FRAME, 402)
    assert (bounds.low, bounds.high) == (100, 101)
    assert bounds.mean == pytest.approx(100.5)
    assert burst_bounds(way(Loss(pattern="0001")), FRAME, 100) is None


def test_spoilt_packets_count_as_lost_but_for_those_that_no_checksum_sees() -> None:
    bounds = loss_bounds(way(corrupt=0.5), FRAME, 10_000)
    assert bounds.mean == pytest.approx(5000)
    assert bounds.low < 5000 * (1 - 14 / FRAME)
    assert bounds.high > 5000


def test_a_still_link_has_one_delay() -> None:
    found = Simulation(SENT, FRAME, 0).bounds([way()], ESTIMATES)
    delay_ns = 5 * MS + FRAME * 800
    assert found["delay"] == Bounds(delay_ns, delay_ns, delay_ns)
    for name in ("deviation", "interarrival", "overtaken"):
        assert found[name] == Bounds(0, 0, 0)
    both = Simulation(SENT, FRAME, 0).bounds([way(), way()], ESTIMATES)["delay"]
    assert both.mean == 2 * delay_ns


def probing(state: LinkState, seed: int) -> dict[str, float]:
    """Return what one simulated probing shows."""
    received = Simulation(SENT, FRAME, 0).cross(state, SENT[None, :], np.random.default_rng(seed))
    return {name: float(of(SENT, received)[0]) for name, of in ESTIMATES.items()}


@pytest.mark.parametrize(
    "state",
    [
        way(jitter=Jitter(MS)),
        way(jitter=Jitter(3 * MS, "pareto", reorder=True)),
        way(jitter=Jitter(MS, "uniform")),
        way(reorder=0.05),
    ],
    ids=["normal", "pareto, reordering", "uniform", "reorder"],
)
def test_other_draws_of_a_link_are_within_and_twice_its_jitter_is_not(state: LinkState) -> None:
    bounds = Simulation(SENT, FRAME, 0).bounds([state], ESTIMATES)
    for seed in range(100, 150):
        for name, value in probing(state, seed).items():
            assert bounds[name].admit(value), (seed, name)
    if state.jitter:
        shakier = way(jitter=Jitter(2 * state.jitter.deviation_ns, state.jitter.distribution))
        assert not bounds["deviation"].admit(probing(shakier, 7)["deviation"])


def test_frames_wait_for_each_other_unless_they_may_overtake() -> None:
    kept = Simulation(SENT, FRAME, 0).bounds([way(jitter=Jitter(4 * MS))], ESTIMATES)
    loose = Simulation(SENT, FRAME, 0).bounds([way(jitter=Jitter(4 * MS, reorder=True))], ESTIMATES)
    assert kept["overtaken"] == Bounds(0, 0, 0)
    assert loose["overtaken"].low > 10
    assert kept["deviation"].mean < loose["deviation"].mean
    assert kept["delay"].mean > loose["delay"].mean


def test_nothing_is_faster_than_the_switches() -> None:
    shaky = way(jitter=Jitter(20 * MS, reorder=True))
    received = Simulation(SENT, FRAME, 3 * MS).cross(shaky, SENT[None, :], np.random.default_rng(1))
    assert (received - SENT).min() >= 3 * MS
