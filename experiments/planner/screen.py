"""A plan on the terminal: the answer first, then what it was chosen from."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.coherence import COHERENT, DEGRADED, in_digits
from experiments.planner.answer import Choice, Plan
from experiments.planner.wording import answer_sentence, money

SETS_SHOWN, SINGLES_SHOWN = 6, 6


def show_plan(console: Console, plan: Plan) -> None:
    """Print a plan."""
    console.print(Text(answer_sentence(plan), style="bold"), soft_wrap=False)
    console.print()
    sets = [plan.base, *plan.choices[:SETS_SHOWN]]
    _show_choices(console, "upgrade sets worth a thought", sets, plan.target)
    singles = plan.singles[:SINGLES_SHOWN]
    _show_choices(console, "each upgrade alone, the best first", list(singles), plan.target)
    if plan.waste:
        console.print(
            f"As it is, {plan.waste.stranded:,.0f} accelerators' work is lost: "
            f"{money(plan.waste.usd_per_day)} a day."
        )
    for lease in plan.leases:
        console.print(
            f"Leasing {lease.campus} out beats linking it above {money(lease.usd_per_hour)} an hour"
            f" ({lease.usd_per_accelerator_hour:,.2f} an accelerator)."
            if lease.usd_per_hour > 0
            else f"Linking {lease.campus} earns nothing: lease it out at any price."
        )
    if plan.refused:
        console.print(f"{len(plan.refused)} upgrades do not fit; the report says why.")
    console.print(f"{plan.method}; predicted, not emulated, where nothing is measured")


def _show_choices(console: Console, title: str, choices: list[Choice], target: float) -> None:
    measured = any(choice.measured for choice in choices)
    columns = ["upgrades", "cost", "coherence", "measured" if measured else "limited by"]
    table = Table(*columns, title=title, title_justify="left", show_edge=False, pad_edge=False)
    for choice in choices:
        outlook = choice.outlook
        mark = (
            "●" if outlook.coherence >= COHERENT else "◐" if outlook.coherence >= DEGRADED else "○"
        )
        row = [
            "\n".join(choice.parts) or "as it is",
            money(choice.cost_usd),
            f"{mark} {in_digits(outlook.coherence)} ({outlook.low:.2f} to {outlook.high:.2f})",
        ]
        if choice.measured:
            seen = choice.measured
            row.append(f"{in_digits(seen.coherence)}, {seen.verdict}")
        elif not measured:
            row.append(outlook.dominant)
        table.add_row(*row, style="bold" if outlook.coherence >= target else "")
    console.print(table)
    console.print()
