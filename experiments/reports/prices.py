"""What points cost, in what is dear: US dollars of upgrades, or the rate of spans. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.planner.options import option
from experiments.reports.swept import SweepFolder
from experiments.scenario import Scenario
from topologies.errors import NetworkError
from topologies.files import as_model

MOST_PRICED = 2000
"""Points whose upgrades are priced one by one."""


@dataclass(frozen=True)
class Price:
    """A price by which points differ.

    Attributes:
        title: with its unit.
        of: by point; those whose price nobody states are left out.
    """

    title: str
    of: Mapping[int, float]


def prices_of(sweep: SweepFolder) -> list[Price]:
    """Return the prices by which a sweep's points differ: what a planner would want less of."""
    points = {point.point: point for point in reversed(sweep.points)}
    found = []
    for field in sweep.fields:
        if field.dimension == "rate":
            path = field.path
            of = {it.point: field.number(it.values[path]) / 1e9 for it in points.values()}
            found.append(Price(f"{field.name} (Gbit/s)", of))
    upgrades = [it for it in sweep.fields if it.path.startswith("timeline.")]
    if upgrades and len(points) <= MOST_PRICED:
        costs = {number: _cost_usd(point.scenario) for number, point in points.items()}
        known = {number: cost for number, cost in costs.items() if cost is not None}
        found.append(Price("cost of the upgrades (US dollars)", known))
    return [it for it in found if len(set(it.of.values())) > 1]


def _cost_usd(data: dict[str, Any]) -> float | None:
    """Return what the upgrades of a scenario's timeline cost, None where nobody says."""
    try:
        scenario = as_model(data, Scenario, "")
        packages: dict[str, tuple[str, ...]] = {}
        for event in scenario.timeline:
            if event.upgrade and event.with_:
                packages[event.upgrade] = (*packages.get(event.upgrade, ()), event.with_)
        costs = [option(scenario, span, names).cost_usd for span, names in packages.items()]
    except NetworkError:
        return None
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
