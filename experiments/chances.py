"""What a link that is as intended may show in a measurement of finite length. Pure.

Counts have exact distributions. Times are simulated: a correct link's packets are drawn again and
again for the moments at which packets were really sent, and the smallest and the largest estimate
are the bounds. Either way a correct link is out of bounds about once in ten thousand measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binom, nbinom

from topologies.jitter import quantiles
from topologies.linkstate import LinkState, Loss

TAIL = 1 / 32_000
"""On either side: what lies outside 4 sigma of a normal distribution."""
DRAWS = 6_000_000
PROBINGS = 10_000
"""Simulated at the most; fewer of long ones, so that they take about a second."""
_BATCH = 500_000
Estimate = Callable[[Any, Any], Any]
"""Of (times of sending, times of receiving by row), one value per row."""
UNCHECKED_BYTES = 14
"""Of a frame, the Ethernet header: a wrong bit there is not seen by IP's or UDP's checksum."""


@dataclass(frozen=True)
class Bounds:
    """The least and the most that a correct link shows, and what it shows on average."""

    low: float
    mean: float
    high: float

    def admit(self, measured: float) -> bool:
        """Ask whether a measurement is within."""
        return self.low <= measured <= self.high

    def widened(self, by: float) -> Bounds:
        """Return bounds further apart by something on either side."""
        return Bounds(self.low - by, self.mean, self.high + by)


def binomial_bounds(trials: int, probability: float) -> Bounds:
    """Return the bounds of a count of independent events; exact, and none for a probability 0."""
    if not probability:
        return Bounds(0, 0, 0)
    low, high = binom.ppf([TAIL, 1 - TAIL], trials, probability)
    return Bounds(float(low), trials * probability, float(high))


def loss_bounds(way: LinkState, frame_bytes: int, frames: int) -> Bounds:
    """Return how many of ``frames`` a link loses, or spoils so that they are not received.

    Of the latter a few slip through with a wrong bit where no checksum looks.
    """
    unseen = way.corrupt * UNCHECKED_BYTES / frame_bytes
    most = _lost_distribution(way.loss, frame_bytes, frames, way.corrupt)
    least = _lost_distribution(way.loss, frame_bytes, frames, way.corrupt - unseen)
    low, high = int(np.searchsorted(least, TAIL)), int(np.searchsorted(most, 1 - TAIL))
    share = 1 - (1 - way.loss.of_frames(frame_bytes)) * (1 - way.corrupt)
    if not way.up:
        return Bounds(frames, frames, frames)
    fixed_low, fixed_high = _pattern_losses(way.loss.pattern, frames)
    # Those of a pattern come on top of the others, at worst on frames that these have spared.
    high = min(frames, high + fixed_high)
    return Bounds(float(max(low, fixed_low)), frames * share, float(high))


def _lost_distribution(loss: Loss, frame_bytes: int, frames: int, corrupt: float) -> Any:
    """Return the cumulative distribution of the losses but for those of a pattern.

    The channel starts somewhere in its cycle; it decides a frame's fate, then it turns.
    """
    kept = (1 - loss.bit_error_rate) ** (8 * frame_bytes) * (1 - corrupt)
    lost = np.array([1 - (1 - loss.good) * kept, 1 - (1 - loss.bad) * kept])
    if not loss.enter:
        return binom.cdf(np.arange(frames + 1), frames, lost[0])
    cycle = loss.enter + loss.leave
    share = np.zeros((2, frames + 1))
    share[:, 0] = loss.leave / cycle, loss.enter / cycle
    for _ in range(frames):
        gone = share * lost[:, None]
        stays = share - gone
        stays[:, 1:] += gone[:, :-1]
        good, bad = stays
        share = np.stack(
            [
                good * (1 - loss.enter) + bad * loss.leave,
                good * loss.enter + bad * (1 - loss.leave),
            ]
        )
    return np.cumsum(share.sum(axis=0))


def _pattern_losses(pattern: str, frames: int) -> tuple[int, int]:
    """Return the least and most that a pattern loses of some frames in a row."""
    if not pattern:
        return 0, 0
    whole, rest = divmod(frames, len(pattern))
    places = np.array([*map(int, pattern)])
    sums = np.concatenate([[0], np.cumsum(np.tile(places, 2))])
    windows = sums[rest : rest + len(pattern)] - sums[: len(pattern)]
    base = whole * int(places.sum())
    return base + int(windows.min()), base + int(windows.max())


def burst_bounds(way: LinkState, frame_bytes: int, bursts: int) -> Bounds | None:
    """Return the mean length of some bursts of loss; None where a pattern or all loss rules.

    Once in a burst it goes on with a probability that depends on the channel's state alone, so the
    length of all lies between two negative binomial distributions; for one state it is exact.
    """
    loss = way.loss
    kept = (1 - loss.bit_error_rate) ** (8 * frame_bytes) * (1 - way.corrupt)
    lost = np.array([1 - (1 - loss.good) * kept, 1 - (1 - loss.bad) * kept])
    turns = np.array([[1 - loss.enter, loss.enter], [loss.leave, 1 - loss.leave]])
    goes_on = turns @ lost
    cycle = loss.enter + loss.leave
    state = np.array([loss.leave, loss.enter]) / cycle if loss.enter else np.array([1.0, 0.0])
    possible = (lost > 0) & (state > 0)
    if loss.pattern or not bursts or not possible.any() or goes_on[possible].max() >= 1:
        return None
    ends = 1 - goes_on[possible]
    low = nbinom.ppf(TAIL, bursts, ends.max())
    high = nbinom.ppf(1 - TAIL, bursts, ends.min())
    mean = (state * lost).sum() / (state * lost * (1 - goes_on)).sum()
    return Bounds(float(1 + low / bursts), float(mean), float(1 + high / bursts))


def is_random(way: LinkState) -> bool:
    """Ask whether a direction's delay differs from packet to packet."""
    return bool(way.jitter or way.reorder)


class Simulation:
    """Probings of a span that is as intended, with packets sent when they really were.

    ``floor_ns`` is what the switches add to one way, below which no delay goes.
    """

    def __init__(self, sent: Any, frame_bytes: int, floor_ns: float, seed: int = 1) -> None:
        """Take the times of sending (ns, sorted)."""
        self._sent, self._frame_bytes, self._floor_ns = sent, frame_bytes, floor_ns
        self.seed = seed

    def bounds(self, ways: list[LinkState], estimates: Mapping[str, Estimate]) -> dict[str, Bounds]:
        """Return the bounds of estimates by name, once packets have crossed ``ways`` in turn."""
        rows = PROBINGS if any(map(is_random, ways)) else 1
        rows = max(1, min(rows, DRAWS // len(self._sent)))
        batch = max(1, _BATCH // len(self._sent))
        generator = np.random.default_rng(self.seed)
        found: dict[str, list[Any]] = {name: [] for name in estimates}
        for begin in range(0, rows, batch):
            received = np.repeat(self._sent[None, :], min(batch, rows - begin), axis=0)
            for way in ways:
                received = self.cross(way, received, generator)
            for name, estimate in estimates.items():
                found[name].append(estimate(self._sent, received))
        joined = {name: np.concatenate(rows_found) for name, rows_found in found.items()}
        return {
            name: Bounds(float(values.min()), float(values.mean()), float(values.max()))
            for name, values in joined.items()
        }

    def cross(self, way: LinkState, sent: Any, generator: Any) -> Any:
        """Return when packets arrive that were sent (by row) far enough apart to find no queue."""
        on_line = sent + self._frame_bytes * 8e9 / way.rate_bps
        delays = np.full(sent.shape, float(way.delay_ns))
        if way.jitter:
            table = np.array(quantiles(way.jitter), float)
            places = generator.random(sent.shape) * (len(table) - 1)
            lower = places.astype(int)
            delays += table[lower] + (table[lower + 1] - table[lower]) * (places - lower)
        received = on_line + np.maximum(self._floor_ns, delays)
        skips = generator.random(sent.shape) < way.reorder if way.reorder else None
        if not (way.jitter and way.jitter.reorder):
            # None overtakes those before it, but for those that skip the delay.
            waiting = received if skips is None else np.where(skips, -np.inf, received)
            received = np.maximum.accumulate(waiting, axis=1)
        if skips is not None:
            received = np.where(skips, on_line + self._floor_ns, received)
        return received
