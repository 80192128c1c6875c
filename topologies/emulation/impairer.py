"""The impairer protocol: cables whose two directions can be given any link state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from topologies.linkstate import Duplex, LinkState

LATENESS_EDGES_US = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
"""Upper edges of the lateness histogram; one more bucket holds what is later still."""


@dataclass
class Counters:
    """What happened in one direction of a span since it was opened.

    Attributes:
        packets, bytes: frames offered, wire bytes with the Ethernet header.
        delivered, delivered_bytes: frames handed on at the far end, duplicates included.
        lost: frames lost on purpose by the link state's loss.
        duplicated, corrupted: frames that were sent twice, and with a wrong bit.
        queue_drops: frames that found the modelled queue full.
        early_drops, marked: frames that random early detection dropped, and marked (ECN).
        deepest_bytes: most that ever stood in the modelled queue; 0 where that is not measured.
        down_drops: frames offered while the link was down, as switches do until they notice.
        oversize_drops: frames larger than the MTU.
        queued_bytes: what stands in the modelled queue now.
        read_ns: when now is, by CLOCK_MONOTONIC of whoever counts.
        errors: frames lost by the emulator itself; anything but 0 spoils a run.
        lateness: histogram of actual minus due departure by `LATENESS_EDGES_US`, empty where the
            back end cannot measure it.
    """

    packets: int = 0
    bytes: int = 0
    delivered: int = 0
    delivered_bytes: int = 0
    lost: int = 0
    duplicated: int = 0
    corrupted: int = 0
    queue_drops: int = 0
    early_drops: int = 0
    marked: int = 0
    deepest_bytes: int = 0
    down_drops: int = 0
    oversize_drops: int = 0
    errors: int = 0
    queued_bytes: int = 0
    read_ns: int = 0
    lateness: list[int] = field(default_factory=list)


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

    While either direction of a span is down both ends are without carrier (see `carrier`): in real
    optics the receiver loses light, and the fault that it reports back tells the other side.

    Attributes:
        name: the back end, as reports state it.
        tells_drops_apart: whether its counters hold losses and full queues separately; otherwise
            every drop counts as a full queue.
    """

    name: str
    tells_drops_apart: bool

    @staticmethod
    def unable(state: LinkState) -> str | None:
        """Name what this back end cannot do of a state, and what can be done instead."""

    def __init__(self, spans: Iterable[str], mtu: int, seed: int) -> None:
        """Make a cable per span, down until `apply`; every loss is drawn from ``seed``."""

    @property
    def cables(self) -> Mapping[str, tuple[str, str]]:
        """By span, the network devices at its first and its second end."""

    def reseed(self, seed: int) -> None:
        """Draw from now on as one that is opened with this seed."""

    def apply(self, span: str, duplex: Duplex) -> None:
        """Set both directions and read them back; packets under way keep their due time.

        Raises ImpairmentError when a state is refused or not in force afterwards.
        """

    def replay(self, span: str, trace: Sequence[tuple[int, Duplex]], begin_ns: int) -> None:
        """Follow a trace: each state from ``begin_ns`` (CLOCK_MONOTONIC) plus its offset (ns) on.

        The last state stays; the next `apply` ends a replay. Returns at once. Raises
        ImpairmentError when a state is refused.
        """

    def counters(self) -> dict[str, tuple[Counters, Counters]]:
        """Return, by span, the counters of the first-to-second and second-to-first directions."""

    def clocks(self) -> Mapping[str, Callable[[], int]]:
        """Return, by span, what asks the process that carries it for the time by its clock (ns).

        Nothing where the kernel carries spans.
        """

    def processes(self) -> Mapping[str, int]:
        """Return, by span, the process that carries it, once that has answered something.

        Nothing where the kernel carries spans.
        """

    def deviations(self) -> dict[str, str]:
        """Say of each span that was not as `apply` or `replay` left it how it differed.

        At the last `counters`, which reads states as well.
        """

    def close(self) -> None:
        """Remove the cables."""
