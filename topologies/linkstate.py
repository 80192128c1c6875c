"""LinkState: what one direction of a link does to packets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from topologies.errors import NetworkError
from topologies.units import render

QUEUE_FLOOR_FRAMES = 32
"""Frames a default queue holds at least: a burst of one TCP window of a short span."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """One direction of a link.

    Attributes:
        rate_bps: wire rate, Ethernet header included (a full frame of MTU 1500 counts 1514 bytes).
        delay_ns: one-way delay in addition to queueing and serialisation.
        loss: probability of a frame being lost, independent of every other (Bernoulli), 0..1.
        queue_bytes: tail-drop limit of the frames that wait for or are in transmission.
        mtu: largest IP packet in bytes.
        up: whether the link carries anything at all.
    """

    rate_bps: int
    delay_ns: int
    loss: float = 0.0
    queue_bytes: int = 0
    mtu: int = 9000
    up: bool = True

    def __post_init__(self) -> None:
        if self.rate_bps <= 0:
            raise NetworkError(f"rate must be above 0 bit/s, not {self.rate_bps}")
        if self.delay_ns < 0:
            raise NetworkError(f"delay must not be negative, not {self.delay_ns} ns")
        if not 0.0 <= self.loss <= 1.0:
            raise NetworkError(f"loss must lie between 0 and 1, not {self.loss}")
        if self.queue_bytes < 0:
            raise NetworkError(f"queue must not be negative, not {self.queue_bytes} B")
        if self.queue_bytes == 0:
            queue = default_queue_bytes(self.rate_bps, self.delay_ns, self.mtu)
            object.__setattr__(self, "queue_bytes", queue)

    def scaled(self, byte_scale: Fraction, time_scale: Fraction) -> LinkState:
        """Return the emulated twin: rate x b/t, delay x t, queue x b but never below its floor.

        Raises NetworkError when the emulated rate would fall below 1 kbit/s.
        """
        rate_bps = int(self.rate_bps * byte_scale / time_scale)
        if rate_bps < 1000:
            raise NetworkError(
                f"a rate of {render(self.rate_bps, 'rate')} becomes {render(rate_bps, 'rate')} "
                "when emulated; choose a larger emulate.bytes or a smaller emulate.time"
            )
        floor = QUEUE_FLOOR_FRAMES * (self.mtu + 14)
        return replace(
            self,
            rate_bps=rate_bps,
            delay_ns=int(self.delay_ns * time_scale),
            queue_bytes=max(floor, int(self.queue_bytes * byte_scale)),
        )


def default_queue_bytes(rate_bps: int, delay_ns: int, mtu: int) -> int:
    """Return a queue of one bandwidth-delay product (round trip), at least 32 full frames."""
    product = rate_bps * 2 * delay_ns // (8 * 10**9)
    return max(product, QUEUE_FLOOR_FRAMES * (mtu + 14))
