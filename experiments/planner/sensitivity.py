"""How far each assumption moves the answer: a plan's recommended set under other assumptions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from experiments.planner.options import options_of
from experiments.scenario import Scenario
from topologies.errors import NetworkError

Evaluate = Callable[[Scenario], float]
Variants = Callable[[Scenario], tuple[Scenario, Scenario]]


@dataclass(frozen=True)
class Swing:
    """What an assumption does to the answer when it is lower and higher than stated.

    A value is None where the spans would not work at all.
    """

    assumption: str
    low_says: str
    high_says: str
    low: float | None
    high: float | None

    @property
    def width(self) -> float:
        """Return how far the answer moves; an assumption that breaks it moves it most."""
        if self.low is None or self.high is None:
            return float("inf")
        return abs(self.high - self.low)


def swings(scenario: Scenario, evaluate: Evaluate) -> list[Swing]:
    """Return every assumption's swing of ``evaluate``, the widest first."""
    assumptions: list[tuple[str, str, str, Variants]] = [
        ("compute per step", "-30 %", "+30 %", _compute),
        ("gradients", "-30 %", "+30 %", _gradients),
        ("age of the spans", "half", "double", _spans("age", 0.5, 2.0)),
        ("length of the routes", "-20 %", "+20 %", _spans("route", 0.8, 1.2)),
        ("cable cuts per 1,000 km and year", "1.9", "8.1", _cuts),
        ("draw of the fibres' past", "seed + 1", "seed + 2", _seed),
    ]
    if scenario.plan.accelerator_hour is not None:
        assumptions.append(("an accelerator's hour", "-30 %", "+30 %", _hour))
        assumptions.append(("costs", "-30 %", "+30 %", _costs))
    found = [_swing(*assumption, scenario, evaluate) for assumption in assumptions]
    return sorted((it for it in found if it.width > 0), key=lambda it: -it.width)


def _swing(
    assumption: str,
    low_says: str,
    high_says: str,
    variants: Variants,
    scenario: Scenario,
    evaluate: Evaluate,
) -> Swing:
    values: list[float | None] = []
    for variant in variants(scenario):
        try:
            values.append(evaluate(variant))
        except NetworkError:
            values.append(None)
    return Swing(assumption, low_says, high_says, values[0], values[1])


def _with(scenario: Scenario, part: str, **changes: Any) -> Scenario:
    changed = getattr(scenario, part).model_copy(update=changes)
    return scenario.model_copy(update={part: changed})


def _compute(scenario: Scenario) -> tuple[Scenario, Scenario]:
    stated = scenario.workload.computing
    first, second = (
        stated.model_copy(update={"mean": int(stated.mean * factor)}) for factor in (0.7, 1.3)
    )
    return (
        _with(scenario, "workload", computing=first),
        _with(scenario, "workload", computing=second),
    )


def _gradients(scenario: Scenario) -> tuple[Scenario, Scenario]:
    first, second = (int(scenario.workload.gradients * factor) for factor in (0.7, 1.3))
    return (
        _with(scenario, "workload", gradients=first),
        _with(scenario, "workload", gradients=second),
    )


def _spans(field: str, low: float, high: float) -> Variants:
    def variant(scenario: Scenario, factor: float) -> Scenario:
        spans = {
            name: spec.model_copy(update={field: int(value * factor)})
            if (value := getattr(spec, field))
            else spec
            for name, spec in scenario.network.spans.items()
        }
        return _with(scenario, "network", spans=spans)

    return lambda scenario: (variant(scenario, low), variant(scenario, high))


def _cuts(scenario: Scenario) -> tuple[Scenario, Scenario]:
    def variant(cuts: float) -> Scenario:
        spans = {
            name: spec.model_copy(update={"cuts": cuts}) if spec.condition else spec
            for name, spec in scenario.network.spans.items()
        }
        return _with(scenario, "network", spans=spans)

    return variant(1.9), variant(8.1)


def _seed(scenario: Scenario) -> tuple[Scenario, Scenario]:
    first, second = (
        scenario.model_copy(update={"seed": (scenario.seed + more) % 2**32}) for more in (1, 2)
    )
    return first, second


def _hour(scenario: Scenario) -> tuple[Scenario, Scenario]:
    value = scenario.plan.accelerator_hour or 0.0
    return (
        _with(scenario, "plan", accelerator_hour=value * 0.7),
        _with(scenario, "plan", accelerator_hour=value * 1.3),
    )


def _costs(scenario: Scenario) -> tuple[Scenario, Scenario]:
    """Scale every price, those of the catalogue too, by stating it for the scenario."""

    def variant(factor: float) -> Scenario:
        stated = {**scenario.plan.costs}
        known = scenario.known.upgrades
        for span in scenario.network.spans:
            for option in options_of(scenario, span)[1]:
                (name,) = option.upgrades
                if name not in stated and known[name].cost.once is not None and option.known_usd:
                    stated[name] = option.known_usd
        scaled = {name: usd * factor if usd is not None else None for name, usd in stated.items()}
        return _with(scenario, "plan", costs=scaled)

    return variant(0.7), variant(1.3)
