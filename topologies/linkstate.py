"""LinkState: what one direction of a link does to packets; Duplex: both directions of a span."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Literal

from topologies.errors import NetworkError
from topologies.units import render

ETHERNET_HEADER = 14
QUEUE_FLOOR_FRAMES = 32
"""Frames a default queue holds at least: a burst of one TCP window of a short span."""

MAX_PATTERN = 8192
"""Frames of a loss pattern."""

Distribution = Literal["normal", "uniform", "pareto", "table"]


def _probability(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise NetworkError(f"{name} must lie between 0 and 1, not {value}")


@dataclass(frozen=True, slots=True)
class Jitter:
    """A random part of the delay, of mean zero.

    Attributes:
        deviation_ns: standard deviation.
        distribution: shape; ``pareto`` has the tail index 3 and its long tail to the late side.
        table_ns: of ``table``, a sample of delays seen somewhere; its mean is taken off, its
            standard deviation is ``deviation_ns``.
        reorder: whether a frame may overtake the one before it; otherwise it waits for it.
    """

    deviation_ns: int
    distribution: Distribution = "normal"
    table_ns: tuple[int, ...] = ()
    reorder: bool = False

    def __post_init__(self) -> None:
        if self.deviation_ns <= 0:
            raise NetworkError(f"jitter must be above 0 ns, not {self.deviation_ns}")
        if (self.distribution == "table") != bool(self.table_ns):
            raise NetworkError('a jitter table belongs to the distribution "table", and no other')

    @staticmethod
    def from_table(table_ns: tuple[int, ...], reorder: bool = False) -> Jitter:
        """Return the jitter of a sample; raises NetworkError where its values are all the same."""
        if len(table_ns) < 2:
            raise NetworkError("a jitter table needs two delays or more")
        mean = sum(table_ns) / len(table_ns)
        variance = sum((value - mean) ** 2 for value in table_ns) / len(table_ns)
        return Jitter(round(math.sqrt(variance)), "table", table_ns, reorder)

    def scaled(self, scale: Fraction) -> Jitter:
        """Return the jitter with every time multiplied."""
        return replace(
            self,
            deviation_ns=max(1, int(self.deviation_ns * scale)),
            table_ns=tuple(int(value * scale) for value in self.table_ns),
        )


@dataclass(frozen=True, slots=True)
class Loss:
    """Which frames the line loses: the causes are independent of each other and add up.

    Attributes:
        enter, leave: probabilities, per frame, of a Gilbert-Elliott channel's turning bad and good.
        good, bad: probability of a frame's loss in each state. Bernoulli loss is ``good`` alone.
        bit_error_rate: of each bit of a frame, so that longer frames are lost more often.
        pattern: frame by frame, "1" lost and "0" not, again from the start at its end.
    """

    good: float = 0.0
    bad: float = 0.0
    enter: float = 0.0
    leave: float = 0.0
    bit_error_rate: float = 0.0
    pattern: str = ""

    def __post_init__(self) -> None:
        for name in ("good", "bad", "enter", "leave", "bit_error_rate"):
            _probability("loss" if name == "good" else f"loss, {name},", getattr(self, name))
        if self.enter and not self.leave:
            raise NetworkError("loss: a channel that turns bad must turn good again: leave above 0")
        if self.pattern.strip("01"):
            raise NetworkError('loss: a pattern consists of "0" and "1"')
        if len(self.pattern) > MAX_PATTERN:
            raise NetworkError(f"loss: a pattern has {MAX_PATTERN} frames at the most")

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    def of_frames(self, frame_bytes: int) -> float:
        """Return the share of frames of a length (B, with the Ethernet header) that are lost."""
        cycle = self.enter + self.leave
        bad_share = self.enter / cycle if cycle else 0.0
        kept = (1 - self.good) * (1 - bad_share) + (1 - self.bad) * bad_share
        kept *= (1 - self.bit_error_rate) ** (8 * frame_bytes)
        if self.pattern:
            kept *= self.pattern.count("0") / len(self.pattern)
        return 1 - kept

    @property
    def clustering(self) -> float:
        """Return how much larger the variance of a count of losses is than if independent.

        (1 + r) / (1 - r) of the channel's autocorrelation r = 1 - enter - leave: an upper bound.
        """
        if not self.enter or self.enter + self.leave >= 1:
            return 1.0
        return (2 - self.enter - self.leave) / (self.enter + self.leave)


@dataclass(frozen=True, slots=True)
class Red:
    """Random early detection (Floyd and Jacobson, 1993), on the averaged length of the queue.

    Attributes:
        min_bytes, max_bytes: between them the probability rises from 0 to ``probability``; from
            ``max_bytes`` on every frame is hit.
        ecn: mark IP packets of ECN-capable transports (RFC 3168) and drop only the others.
    """

    min_bytes: int
    max_bytes: int
    probability: float = 0.02
    ecn: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.min_bytes < self.max_bytes:
            raise NetworkError("queue: RED needs 0 < min < max")
        _probability("queue: RED's probability", self.probability)


@dataclass(frozen=True, slots=True)
class LinkState:
    """One direction of a link.

    Attributes:
        rate_bps: wire rate, Ethernet header included (a full frame of MTU 1500 counts 1514 bytes).
        delay_ns: one-way delay in addition to queueing and serialisation.
        jitter: random part of the delay.
        loss: frames that the line loses; a number is the probability of losing each (Bernoulli).
        duplicate: probability of a frame's arriving twice.
        corrupt: probability of one bit of a frame being wrong: its checksums no longer hold.
        reorder: probability of a frame's skipping the delay, and so those before it.
        queue_bytes, queue_packets: tail-drop limit of the frames that wait for or are in
            transmission; the one that is 0 does not limit, and where both are 0, one
            bandwidth-delay product does (see `queue_limit_bytes`).
        red: early drops or marks below that limit.
        mtu: largest IP packet in bytes.
        up: whether the link carries anything at all.
    """

    rate_bps: int
    delay_ns: int
    loss: Loss = Loss()
    queue_bytes: int = 0
    mtu: int = 9000
    up: bool = True
    jitter: Jitter | None = None
    duplicate: float = 0.0
    corrupt: float = 0.0
    reorder: float = 0.0
    queue_packets: int = 0
    red: Red | None = None

    def __post_init__(self) -> None:
        if self.rate_bps <= 0:
            raise NetworkError(f"rate must be above 0 bit/s, not {self.rate_bps}")
        if self.delay_ns < 0:
            raise NetworkError(f"delay must not be negative, not {self.delay_ns} ns")
        for name in ("duplicate", "corrupt", "reorder"):
            _probability(name, getattr(self, name))
        if self.queue_bytes < 0 or self.queue_packets < 0:
            limit = min(self.queue_bytes, self.queue_packets)
            raise NetworkError(f"queue must not be negative, not {limit}")
        if self.reorder and not self.delay_ns:
            raise NetworkError("reorder needs a delay that the reordered frames can skip")

    @property
    def queue_limit_bytes(self) -> int:
        """Return the limit in bytes: as stated, of full frames, or by default.

        The default is the bandwidth-delay product of a round trip, at least 32 full frames.
        """
        frame = self.mtu + ETHERNET_HEADER
        if self.queue_bytes or self.queue_packets:
            limits = [self.queue_bytes, self.queue_packets * frame]
            return min(limit for limit in limits if limit)
        product = self.rate_bps * 2 * self.delay_ns // (8 * 10**9)
        return max(product, QUEUE_FLOOR_FRAMES * frame)

    @property
    def mean_loss(self) -> float:
        """Return the share of full frames that the line loses."""
        return self.loss.of_frames(self.mtu + ETHERNET_HEADER)

    def scaled(self, byte_scale: Fraction, time_scale: Fraction) -> LinkState:
        """Return the emulated twin: rate x b/t, times x t, queue x b but never below its floor.

        Raises NetworkError when the emulated rate would fall below 1 kbit/s.
        """
        rate_bps = int(self.rate_bps * byte_scale / time_scale)
        if rate_bps < 1000:
            raise NetworkError(
                f"a rate of {render(self.rate_bps, 'rate')} becomes {render(rate_bps, 'rate')} "
                "when emulated; choose a larger emulate.bytes or a smaller emulate.time"
            )
        floor = QUEUE_FLOOR_FRAMES * (self.mtu + ETHERNET_HEADER)
        twin = replace(
            self,
            rate_bps=rate_bps,
            delay_ns=int(self.delay_ns * time_scale),
            jitter=self.jitter and self.jitter.scaled(time_scale),
        )
        if self.queue_packets:
            packets = max(QUEUE_FLOOR_FRAMES, int(self.queue_packets * byte_scale))
            twin = replace(twin, queue_packets=packets)
        if self.queue_bytes:
            queue_bytes = max(floor, int(self.queue_bytes * byte_scale))
            twin = replace(twin, queue_bytes=queue_bytes)
        if self.red:
            # Kept in proportion to the queue, whose floor may have raised it.
            share = Fraction(twin.queue_limit_bytes, self.queue_limit_bytes)
            low, high = int(self.red.min_bytes * share), int(self.red.max_bytes * share)
            twin = replace(twin, red=replace(self.red, min_bytes=low, max_bytes=high))
        return twin


@dataclass(frozen=True, slots=True)
class Duplex:
    """Both directions of a span: from its first campus to its second, and back."""

    forward: LinkState
    backward: LinkState

    @staticmethod
    def both(state: LinkState) -> Duplex:
        """Return a span that is the same both ways."""
        return Duplex(state, state)

    @property
    def ways(self) -> tuple[LinkState, LinkState]:
        """Return ``(forward, backward)``."""
        return self.forward, self.backward

    @property
    def round_trip_ns(self) -> int:
        """Return the delay of both ways together."""
        return self.forward.delay_ns + self.backward.delay_ns

    @property
    def worse(self) -> LinkState:
        """Return both ways as one: the smaller rate, half the round trip, the larger loss."""
        forward, backward = self.ways
        if forward == backward:
            return forward
        return LinkState(
            rate_bps=min(forward.rate_bps, backward.rate_bps),
            delay_ns=self.round_trip_ns // 2,
            loss=Loss(max(forward.mean_loss, backward.mean_loss)),
            mtu=min(forward.mtu, backward.mtu),
            up=forward.up and backward.up,
        )

    def scaled(self, byte_scale: Fraction, time_scale: Fraction) -> Duplex:
        """Return the emulated twin of both ways; see `LinkState.scaled`."""
        return Duplex(*(state.scaled(byte_scale, time_scale) for state in self.ways))
