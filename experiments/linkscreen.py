"""What ``spanlab links`` shows in a terminal: a table with a verdict in every row."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.linkverdict import Direction

COLUMNS = {
    "rate_bps": "rate",
    "goodput_bps": "goodput",
    "rtt_ns": "round trip",
    "jitter_ns": "jitter",
    "loss": "loss",
}
"""Of the table of all spans, by their names in JSON."""
ARROWS = {"forward": "→", "backward": "←"}


def show_links(console: Console, directions: Sequence[Direction], details: bool) -> None:
    """Print a row per direction, or per quantity with ``details``; then what is wrong."""
    if details:
        for direction in directions:
            console.print(_details(direction))
    else:
        console.print(_overview(directions))
    for direction in directions:
        for reason in direction.reasons:
            console.print(Text(f"{_name(direction)}: {reason}", style="red"))
    wrong = sum(not direction.ok for direction in directions)
    if wrong:
        console.print(Text(f"{wrong} of {len(directions)} directions not as intended", "bold red"))
    else:
        console.print(Text("every span is as intended", "bold green"))


def _overview(directions: Sequence[Direction]) -> Table:
    """Measured values, and under each the intended one."""
    table = Table(show_edge=False, pad_edge=False, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("span", overflow="fold")
    for name in COLUMNS.values():
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("ok")
    for direction in directions:
        rows = {row.key: row for row in direction.rows}
        measured, intended = [], []
        for key in COLUMNS:
            row = rows.get(key)
            style = "" if row and row.ok else "red"
            measured.append(Text(row.show(row.measured), style) if row else "")
            intended.append(Text(row.show(row.bounds.mean), "dim") if row else "")
        table.add_row(_name(direction), *measured, _mark(direction.ok))
        table.add_row(Text("  intended", "dim"), *intended)
    return table


def _name(direction: Direction) -> str:
    return f"{direction.span} {ARROWS[direction.direction]}"


def _details(direction: Direction) -> Table:
    """All quantities of one direction."""
    table = Table(show_edge=False, pad_edge=False, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(_name(direction), min_width=19)
    for name in ("intended", "measured", "at least", "at most"):
        table.add_column(name, justify="right", no_wrap=True, min_width=11)
    table.add_column("ok")
    for row in direction.rows:
        bounds = row.bounds
        values = (bounds.mean, row.measured, bounds.low, bounds.high)
        table.add_row(row.name, *map(row.show, values), _mark(row.ok))
    return table


def _mark(ok: bool) -> Text:
    return Text("yes", "green") if ok else Text("no", "bold red")
