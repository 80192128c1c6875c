"""What incoherence costs: accelerators that wait, days until an upgrade has paid, link or lease.

Pure. Every price is the user's: accelerators per campus, and what an accelerator's hour is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

HOURS_PER_MONTH = 730.5


@dataclass(frozen=True)
class Fleet:
    """Accelerators by campus, and what the work of one is worth in US dollars per hour."""

    accelerators: Mapping[str, int]
    hour_usd: float

    @property
    def total(self) -> int:
        """Return the accelerators of all campuses."""
        return sum(self.accelerators.values())


@dataclass(frozen=True)
class Waste:
    """What a coherence below 1 leaves idle.

    Attributes:
        stranded: accelerators whose work is lost.
        usd_per_day: what their work would have been worth.
    """

    stranded: float
    usd_per_day: float


@dataclass(frozen=True)
class Lease:
    """Whether a campus is worth linking.

    Attributes:
        campus: the one that would be leased out, the others training without it.
        usd_per_hour: what linking it earns: leased out for more than that, it earns more.
        usd_per_accelerator_hour: the same for each of its accelerators.
    """

    campus: str
    usd_per_hour: float
    usd_per_accelerator_hour: float


def waste_of(fleet: Fleet, coherence: float) -> Waste:
    """Return what is lost at a coherence; one above 1 loses nothing."""
    stranded = max(0.0, 1 - coherence) * fleet.total
    return Waste(stranded, stranded * fleet.hour_usd * 24)


def payback_days(fleet: Fleet, before: float, after: float, cost_usd: float | None) -> float | None:
    """Return the days until a gain in coherence has paid its price, or None where it never does."""
    gain_usd = (after - before) * fleet.total * fleet.hour_usd * 24
    if cost_usd is None or gain_usd <= 0:
        return None
    return cost_usd / gain_usd


def leases(
    fleet: Fleet,
    coherence: float,
    without: Callable[[str], float],
    cost_usd: float,
    months: float,
) -> list[Lease]:
    """Return for every campus the lease price above which linking it earns less than leasing it.

    ``without`` gives the coherence of the other campuses alone; the cost of the links is spread
    evenly over ``months`` and borne by the campus in question.
    """
    found = []
    per_hour_usd = cost_usd / (months * HOURS_PER_MONTH)
    for campus, count in fleet.accelerators.items():
        others = fleet.total - count
        linked = coherence * fleet.total - without(campus) * others
        usd = linked * fleet.hour_usd - per_hour_usd
        found.append(Lease(campus, usd, usd / count))
    return found
