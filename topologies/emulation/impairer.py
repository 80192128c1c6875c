"""The impairer protocol: cables whose two directions can be given any link state."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from topologies.linkstate import LinkState

LATENESS_EDGES_US = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
"""Upper edges of the lateness histogram; one more bucket holds what is later still."""


@dataclass
class Counters:
    """What happened in one direction of a span since it was opened.

    Attributes:
        packets, bytes: frames offered, wire bytes with the Ethernet header.
        delivered, delivered_bytes: frames handed on at the far end.
        lost: frames lost on purpose by the link state's loss.
        queue_drops: frames that found the modelled queue full.
        down_drops: frames offered while the link was down.
        oversize_drops: frames larger than the MTU.
        errors: frames lost by the emulator itself; anything but 0 spoils a run.
        lateness: histogram of actual minus due departure by `LATENESS_EDGES_US`, empty where the
            back end cannot measure it.
    """

    packets: int = 0
    bytes: int = 0
    delivered: int = 0
    delivered_bytes: int = 0
    lost: int = 0
    queue_drops: int = 0
    down_drops: int = 0
    oversize_drops: int = 0
    errors: int = 0
    lateness: list[int] = field(default_factory=list)

    def record_lateness(self, late_ns: int) -> None:
        """Count one departure that was ``late_ns`` after it was due."""
        if not self.lateness:
            self.lateness = [0] * (len(LATENESS_EDGES_US) + 1)
        self.lateness[bisect_left(LATENESS_EDGES_US, late_ns / 1000)] += 1


def lateness_quantile_us(histogram: list[int], quantile: float) -> float:
    """Return the upper edge (us) of the bucket that holds a quantile; infinity past the last."""
    wanted = quantile * sum(histogram)
    seen = 0
    for count, edge in zip(histogram, (*LATENESS_EDGES_US, float("inf")), strict=True):
        seen += count
        if seen >= wanted:
            return float(edge)
    return float("inf")


class Impairer(Protocol):
    """A set of cables, one per span, each with two ends to plug into switches.

    Attributes:
        name: the back end, as reports state it.
        tells_drops_apart: whether its counters hold losses and full queues separately; otherwise
            every drop counts as a full queue.
    """

    name: str
    tells_drops_apart: bool

    def __init__(self, spans: Iterable[str], mtu: int, seed: int) -> None:
        """Make a cable per span, down until `apply`; every loss is drawn from ``seed``."""

    @property
    def cables(self) -> Mapping[str, tuple[str, str]]:
        """By span, the network devices at its first and its second end."""

    def apply(self, span: str, forward: LinkState, backward: LinkState) -> None:
        """Set both directions and read them back; packets under way keep their due time.

        Raises ImpairmentError when a state is refused or not in force afterwards.
        """

    def counters(self) -> dict[str, tuple[Counters, Counters]]:
        """Return, by span, the counters of the first-to-second and second-to-first directions."""

    def close(self) -> None:
        """Remove the cables."""


def open_impairer(name: str, spans: Iterable[str], mtu: int, seed: int) -> Impairer:
    """Open the back end of that name; every span is down until its first `Impairer.apply`."""
    from topologies.emulation.netem import NetemImpairer
    from topologies.emulation.relay.impairer import RelayImpairer

    kinds: dict[str, type[Impairer]] = {"netem": NetemImpairer, "relay": RelayImpairer}
    return kinds[name](spans, mtu, seed)
