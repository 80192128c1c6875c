"""The answer to ``spanlab plan``, and how scripts read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.planner.economics import Lease, Waste
from experiments.planner.options import Refusal
from experiments.planner.sensitivity import Swing
from experiments.planner.worth import Outlook
from experiments.similarity import Group
from topologies.linkstate import Duplex


@dataclass(frozen=True)
class Measured:
    """What an emulation of an upgrade set found, and what was predicted for just that twin."""

    coherence: float
    coherence_ci: tuple[float, float]
    predicted: float
    verdict: str


@dataclass(frozen=True)
class Choice:
    """One upgrade set.

    Attributes:
        upgrades: by span, those that it makes.
        cost_usd: None where a part of it is not known; ``known_usd`` leaves that part out.
        unpriced: the upgrades without a price.
        lead_ns: until the last is made, all at once.
        outlook: what is predicted.
        states: the spans', at real scale.
        payback_days: until it has paid its price, where that can be said.
        measured: by emulation, once it was confirmed.
    """

    upgrades: Mapping[str, tuple[str, ...]]
    cost_usd: float | None
    known_usd: float
    unpriced: tuple[str, ...]
    lead_ns: int
    outlook: Outlook
    states: Mapping[str, Duplex]
    payback_days: float | None = None
    measured: Measured | None = None

    @property
    def name(self) -> str:
        """Return the set as a reader says it."""
        return "; ".join(self.parts) or "as it is"

    @property
    def parts(self) -> list[str]:
        """Return each package with the spans that get it."""
        by_package: dict[tuple[str, ...], list[str]] = {}
        for span, names in self.upgrades.items():
            by_package.setdefault(names, []).append(span)
        return [f"{' + '.join(names)} on {_listed(on)}" for names, on in by_package.items()]

    def to_json(self) -> dict[str, Any]:
        """Return this as the contract for scripts has it."""
        outlook = self.outlook
        return {
            "upgrades": {span: list(names) for span, names in self.upgrades.items()},
            "cost_usd": self.cost_usd,
            "unpriced": list(self.unpriced),
            "lead_days": round(self.lead_ns / 86_400e9, 1),
            "coherence": round(outlook.coherence, 4),
            "coherence_ci": [round(outlook.low, 4), round(outlook.high, 4)],
            "while_up": round(outlook.while_up, 4),
            "dominant": outlook.dominant,
            "payback_days": self.payback_days,
            "measured": self.measured
            and {
                "coherence": self.measured.coherence,
                "coherence_ci": list(self.measured.coherence_ci),
                "predicted": round(self.measured.predicted, 4),
                "verdict": self.measured.verdict,
            },
        }


def _listed(names: list[str]) -> str:
    """Return names as a sentence lists them."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


@dataclass(frozen=True)
class Plan:
    """The answer: what to buy, what else there is, and what stays unknown.

    ``swings`` say how far assumptions move ``value``: see `experiments.planner.plan.value_of`.
    """

    target: float
    budget_usd: float | None
    method: str
    base: Choice
    cheapest: Choice | None
    choices: tuple[Choice, ...]
    pareto: tuple[Choice, ...]
    singles: tuple[Choice, ...]
    refused: tuple[Refusal, ...]
    waste: Waste | None = None
    leases: tuple[Lease, ...] = ()
    swings: tuple[Swing, ...] = ()
    value: float = 0.0
    groups: tuple[Group, ...] = ()

    @property
    def unpriced(self) -> list[str]:
        """Return the upgrades that nobody has priced, by name."""
        return sorted({it.split(" ", 1)[1] for one in self.singles for it in one.unpriced})

    def to_json(self) -> dict[str, Any]:
        """Return this as the contract for scripts has it."""
        return {
            "target": self.target,
            "budget_usd": self.budget_usd,
            "method": self.method,
            "base": self.base.to_json(),
            "cheapest": self.cheapest and self.cheapest.to_json(),
            "choices": [choice.to_json() for choice in self.choices],
            "pareto": [choice.to_json() for choice in self.pareto],
            "singles": [choice.to_json() for choice in self.singles],
            "refused": [vars(refusal) for refusal in self.refused],
            "waste": self.waste and vars(self.waste),
            "leases": [vars(lease) for lease in self.leases],
            "sensitivity": [vars(swing) for swing in self.swings],
            "groups": [group.to_json() for group in self.groups],
        }
