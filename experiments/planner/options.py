"""What can be done to one span: every package of upgrades that fits and that none other dominates.

Pure. An option is dominated when another one is at least as good in rate, delay, loss and
availability, costs no more and hides no further unknown price; no best set ever needs it, as the
step time rises with none of the first and falls with none of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from experiments.outages import faults_of
from experiments.scenario import Scenario
from topologies.ageing.plant import Plant
from topologies.catalogue import Catalogue
from topologies.errors import PhysicsError
from topologies.linkstate import Duplex
from topologies.spans import initial_plant, plant_chain, refuse_unworkable, span_states
from topologies.upgrades.upgrade import Cost

MOST_TOGETHER = 3
"""Upgrades of one span at once; more change nothing that matters and are not tried."""


RADIO_BPS = 10**9
"""What a microwave backup carries."""


@dataclass(frozen=True)
class Option:
    """A package of upgrades for one span, and what becomes of the span.

    Attributes:
        upgrades: in the order in which they are made; none for the span as it is.
        state: at real scale, both ways.
        unavailability: share of the time that the span is down.
        known_usd: sum of the prices that are known.
        unpriced: upgrades whose price nobody states.
        lead_ns: of the slowest.
    """

    upgrades: tuple[str, ...]
    state: Duplex
    unavailability: float = 0.0
    known_usd: float = 0.0
    unpriced: frozenset[str] = frozenset()
    lead_ns: int = 0

    @property
    def cost_usd(self) -> float | None:
        """Return the price in US dollars, or None where a part of it is not known."""
        return None if self.unpriced else self.known_usd

    def dominates(self, other: Option) -> bool:
        """Return whether this is as good as another in every respect."""
        ways = zip(self.state.ways, other.state.ways, strict=True)
        return (
            self.known_usd <= other.known_usd
            and self.unpriced <= other.unpriced
            and self.unavailability <= other.unavailability
            and all(
                mine.rate_bps >= theirs.rate_bps
                and mine.delay_ns <= theirs.delay_ns
                and mine.mean_loss <= theirs.mean_loss
                and mine.mtu == theirs.mtu
                for mine, theirs in ways
            )
        )


@dataclass(frozen=True)
class Refusal:
    """A single upgrade that does not fit a span, and the physics that forbids it."""

    span: str
    upgrade: str
    reason: str


def options_of(scenario: Scenario, span: str) -> tuple[list[Option], list[Option], list[Refusal]]:
    """Return a span's undominated options, its single upgrades, and what does not fit.

    The first option is the span as it is. Raises PhysicsError where that cannot work.
    """
    spec, known = scenario.network.spans[span], scenario.known
    plant = initial_plant(spec, known)
    options = [option(scenario, span, ())]
    singles: list[Option] = []
    refusals: list[Refusal] = []
    names = scenario.plan.upgrades or tuple(known.upgrades)
    for name in names:
        try:
            singles.append(_option(scenario, span, plant, (name,)))
        except PhysicsError as error:
            refusals.append(Refusal(span, name, str(error).removeprefix(f"{name}: ")))
    for package in _packages(names, known):
        try:
            options.append(_option(scenario, span, plant, package))
        except PhysicsError:
            continue
    return [options[0], *_undominated(options)[1:]], singles, refusals


def _packages(names: Sequence[str], known: Catalogue) -> Iterator[tuple[str, ...]]:
    """Yield sets of upgrades in the catalogue's order, with new optics once at the most."""
    ordered = [name for name in known.upgrades if name in names]
    for size in range(1, MOST_TOGETHER + 1):
        for package in combinations(ordered, size):
            if sum(known.upgrades[name].sets.optics is not None for name in package) <= 1:
                yield package


def option(scenario: Scenario, span: str, package: tuple[str, ...]) -> Option:
    """Return what a package of upgrades, in their order, makes of a span; none leaves it as it is.

    Raises PhysicsError where it does not fit.
    """
    spec, known = scenario.network.spans[span], scenario.known
    plant = initial_plant(spec, known)
    if package:
        return _option(scenario, span, plant, package)
    state = span_states(span, spec, [], scenario.seed, scenario.network.mtu, known)[0]
    return Option((), state, _unavailability(scenario, span, plant))


def _option(scenario: Scenario, span: str, plant: Plant, package: tuple[str, ...]) -> Option:
    """Return what a package makes of a span; raises PhysicsError where it does not fit."""
    known, mtu = scenario.known, scenario.network.mtu
    if not plant.route_m:
        raise PhysicsError("the span states no route to upgrade along")
    for name in package:
        if not known.upgrades[name].live:
            raise PhysicsError(
                f"packets have {mtu} B everywhere: compare with a plan whose scenario has other mtu"
            )
        plant = known.upgraded(plant, name)
    chain = plant_chain(plant, span, scenario.seed, mtu, known)
    refuse_unworkable(chain, " and ".join(package))
    upgrades = [known.upgrades[name] for name in package]
    stated = scenario.plan.costs
    months = scenario.plan.months
    prices = {
        name: (Cost(once=stated[name]) if name in stated else upgrade.cost).of(
            plant.route_m, months
        )
        for name, upgrade in zip(package, upgrades, strict=True)
    }
    return Option(
        upgrades=package,
        state=Duplex.both(chain.state),
        unavailability=_unavailability(scenario, span, plant),
        known_usd=sum(price for price in prices.values() if price is not None),
        unpriced=frozenset(name for name, price in prices.items() if price is None),
        lead_ns=max(upgrade.lead_time for upgrade in upgrades),
    )


def _unavailability(scenario: Scenario, span: str, plant: Plant) -> float:
    """Return the share of time in which a span carries nothing; a backup carries what it can."""
    faults = faults_of(scenario.network.spans[span], plant)
    if faults is None:
        return 0.0
    backup = RADIO_BPS / plant_rate_bps(plant) if plant.radio_backup else 0.0
    return faults.unavailability * (1 - min(1.0, backup))


def plant_rate_bps(plant: Plant) -> int:
    """Return the fastest rate of a plant's optics, of all waves together."""
    if plant.optics is None:
        return RADIO_BPS
    rates = [plant.optics.rate or 0, *(mode.rate for mode in plant.optics.modes)]
    return max(rates) * plant.waves


def _undominated(options: Sequence[Option]) -> list[Option]:
    """Return the upgrades worth a thought, the smaller package first where two are equal."""
    kept: list[Option] = []
    for option in sorted(options, key=lambda it: (len(it.upgrades), it.known_usd)):
        if any(other.dominates(option) for other in kept):
            continue
        kept = [other for other in kept if not (option.dominates(other) and other.upgrades)]
        kept.append(option)
    return kept
