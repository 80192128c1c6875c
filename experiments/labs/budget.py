"""Lab 6: choose the upgrade on a budget."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.labs.lab import Choice, Effect, Lab, Part, Question, Runs
from experiments.labs.measures import coherence, last_phase

BUDGET_USD = 400_000
TARGET = 0.95
WORST = [{"at": "step 30", "upgrade": "south-east", "with": "coherent-400g"}]


def _any(keys: Sequence[str]) -> bool:
    """Say whether a timeline buys anything; the plan's own runs, for one, do not."""
    return any(key.endswith(".upgrade") for key in keys)


def _bought(runs: Runs) -> list[tuple[str, str]]:
    """Return span and upgrade of each that the student made."""
    timeline = runs["mine"].scenario["timeline"]
    return [(event["upgrade"], event["with"]) for event in timeline if "upgrade" in event]


def cost_usd(runs: Runs) -> float:
    """Return what they cost; infinite where something is not on the list of prices."""
    costs = runs["mine"].scenario["plan"]["costs"]
    return sum((float(costs.get(name, "inf")) for _, name in _bought(runs)), 0.0)


def _affordable(runs: Runs) -> tuple[bool, str]:
    told = ", ".join(f"{name} on {span}" for span, name in _bought(runs)) or "nothing"
    figures = f"{told}: ${cost_usd(runs):,.0f} of ${BUDGET_USD:,}"
    return 0 < cost_usd(runs) <= BUDGET_USD, figures


def _last(runs: Runs, part: str) -> float:
    return coherence(runs[part], last_phase(runs[part]))


def _reached(runs: Runs) -> tuple[bool, str]:
    found = _last(runs, "mine")
    return found >= TARGET, f"coherence {found:.3f} in the end"


def _missed(runs: Runs) -> tuple[bool, str]:
    found = _last(runs, "worst")
    return found < TARGET, f"coherence {found:.3f} in the end"


LAB = Lab(
    number=6,
    slug="budget",
    title="Choose the upgrade on a budget",
    minutes=35,
    parts=(
        Part("worst", "budget", {"timeline": WORST}),
        Part("mine", "budget", choice=Choice("timeline", "the upgrades that you buy", _any)),
    ),
    effects=(
        Effect(
            "all the money spent on the worst span misses the target",
            ("worst",),
            _missed,
            "look at the timeline in the run's manifest.json",
        ),
        Effect(
            f"your upgrades cost no more than ${BUDGET_USD:,}",
            ("mine",),
            _affordable,
            f"./spanlab plan FILE --budget {BUDGET_USD} lists what can be had for it",
        ),
        Effect(
            f"they bring coherence to {TARGET} when emulated",
            ("mine",),
            _reached,
            f"./spanlab plan FILE --budget {BUDGET_USD} says what limits each set of upgrades",
        ),
    ),
    questions=(
        Question(
            "worst_coherence",
            "with the best optics on the worst span alone",
            "",
            ("worst",),
            lambda runs: _last(runs, "worst"),
            tolerance=0.2,
        ),
        Question(
            "my_coherence",
            "with the upgrades of your choice",
            "",
            ("mine",),
            lambda runs: _last(runs, "mine"),
            tolerance=0.08,
        ),
        Question("my_cost_usd", "what they cost", "USD", ("mine",), cost_usd, tolerance=0.001),
    ),
)
