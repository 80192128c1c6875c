"""A plan in words and numbers that people read."""

from __future__ import annotations

from experiments.coherence import in_digits
from experiments.planner.answer import Plan
from experiments.planner.plan import recommended


def money(usd: float | None) -> str:
    """Return US dollars with a sensible unit, such as ``$2.6 M``."""
    if usd is None:
        return "unknown"
    sign, size = ("-" if usd < 0 else ""), abs(usd)
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if size >= factor:
            return f"{sign}${size / factor:.3g}{unit}"
    return f"{sign}${size:.3g}"


def days(count: float | None) -> str:
    """Return a time to pay back."""
    if count is None:
        return "never, or unknown"
    if count > 36_525:
        return "over a century"
    return f"{count:.1f} days" if count < 100 else f"{count / 365.25:.1f} years"


def answer_sentence(plan: Plan) -> str:
    """Say in a sentence or two what the plan found."""
    base = plan.base.outlook.coherence
    if base >= plan.target:
        return f"Coherence is {base:.2f} as it is, the target {plan.target:g}: nothing to buy."
    choice = plan.cheapest
    if choice is None:
        best = recommended(plan)
        within = " within the budget" if plan.budget_usd is not None else ""
        text = (
            f"No upgrade set{within} is predicted to reach a coherence of {plan.target:g}; "
            f"the best takes it from {in_digits(base)} to "
            f"{in_digits(best.outlook.coherence)} ({best.name})"
        )
        return text + f", limited by {best.outlook.dominant}."
    text = (
        f"{choice.name} takes coherence from {in_digits(base)} to "
        f"{in_digits(choice.outlook.coherence)} (target {plan.target:g})"
    )
    if choice.cost_usd is None:
        return f"{text}; nobody has stated the price of {', '.join(choice.unpriced)}."
    text += f" for {money(choice.cost_usd)}, the least that does"
    if choice.payback_days is not None:
        text += f"; it has paid for itself after {days(choice.payback_days)}"
    return text + "."
