"""What ``spanlab compare`` shows in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text


def show_comparison(console: Console, found: dict[str, Any]) -> None:
    """Print each scenario's phases and recoveries, what to beware of, and who is faster."""
    for group in found["groups"]:
        runs = sum(run["counted"] for run in group["runs"])
        console.print(Text(f"{group['name']}: {runs} {'run' if runs == 1 else 'runs'}"))
        if group["phases"]:
            console.print(_phases(group["phases"]))
        if group["recovery"]:
            console.print(_recoveries(group["recovery"]))
    for note in found["notes"]:
        console.print(Text(note, style="yellow"), soft_wrap=True)
    for it in found["comparisons"]:
        style = "bold" if it["winner"] else "dim"
        console.print(Text(it["sentence"], style=style), soft_wrap=True)
    if not found["comparisons"]:
        console.print("Nothing can be compared: no two phases that count have two settled steps.")


def _phases(phases: Sequence[dict[str, Any]]) -> Table:
    table = Table("settled phase", show_edge=False, pad_edge=False)
    for name in ("steps", "ms", "95 %", "coherence", "95 %"):
        table.add_column(name, justify="right")
    for phase in phases:
        table.add_row(
            escape(phase["name"]),
            str(phase["steps"]),
            _number(phase["step_ms"], 4),
            _between([_number(end, 4) for end in phase["step_ms_ci"] or ()]),
            _number(phase["coherence"], 3),
            _between([_number(end, 3) for end in phase["coherence_ci"] or ()]),
        )
    return table


def _recoveries(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("recovery from", show_edge=False, pad_edge=False)
    for name in ("s", "95 %"):
        table.add_column(name, justify="right")
    for row in rows:
        ends = [_number(end, 3) for end in row["ci_s"] or ()]
        table.add_row(escape(row["event"]), _number(row["mean_s"], 3), _between(ends))
    return table


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}g}"


def _between(ends: Sequence[str]) -> str:
    return " to ".join(ends)
