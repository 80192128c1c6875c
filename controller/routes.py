"""What a policy is given beside the graph and the links, and what it decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Marks:
    """How packets of one kind are recognised; they match if any of the marks fits.

    Attributes:
        dscp: differentiated services code point (RFC 2474), 0 to 63.
        ports: TCP or UDP ports, at either end.
    """

    dscp: int | None = None
    ports: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.dscp is None and not self.ports:
            raise ValueError("marks need a dscp or ports")
        if self.dscp is not None and not 0 <= self.dscp <= 63:
            raise ValueError(f"dscp must lie between 0 and 63, not {self.dscp}")
        for port in self.ports:
            if not 1 <= port <= 65535:
                raise ValueError(f"a port must lie between 1 and 65535, not {port}")


@dataclass(frozen=True)
class Demand:
    """Traffic that one campus sends to another.

    Attributes:
        source, target: the campuses.
        rate_bps: as much as it asks for; None: as much as it can get.
        over: spans that it is to cross, in order; empty: whichever.
        marks: which packets it is; None: all that no other demand marks.
    """

    source: str
    target: str
    rate_bps: int | None = None
    over: tuple[str, ...] = ()
    marks: Marks | None = None

    def __post_init__(self) -> None:
        if self.rate_bps is not None and self.rate_bps <= 0:
            raise ValueError(f"rate_bps must be above 0, not {self.rate_bps}")


@dataclass(frozen=True)
class Hop:
    """A way on from a switch: out of a port, with this share of the flows among its siblings."""

    port: int
    weight: int = 1


Hops = tuple[Hop, ...]
"""One: all traffic goes there. More: every flow goes to one of them, by weight."""


@dataclass(frozen=True)
class Limit:
    """Traffic that may take at most a share of the rate of any span."""

    marks: Marks
    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"a limit's share must lie above 0 and up to 1, not {self.share}")


@dataclass(frozen=True)
class Routes:
    """The way to every worker, as next hops that lead to it and nowhere in a circle.

    Attributes:
        toward: worker -> switch -> hops. A switch that is left out cannot reach the worker.
        limits: traffic that is held back where it leaves a campus.
    """

    toward: Mapping[str, Mapping[str, Hops]]
    limits: tuple[Limit, ...] = ()
