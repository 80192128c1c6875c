"""How labs and their checks look on a screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.labs.checking import Report
from experiments.labs.lab import ROOT, Lab


def listed(labs: Iterable[Lab]) -> list[dict[str, Any]]:
    """Return what a lab is about, for scripts."""
    return [
        {
            "lab": lab.number,
            "title": lab.title,
            "minutes": lab.minutes,
            "page": str(lab.page.relative_to(ROOT)),
            "files": [path.name for path in sorted(lab.files.glob("*.yaml"))],
            "runs": [f"{part.name}.yaml" for part in lab.parts],
        }
        for lab in labs
    ]


def show_labs(console: Console, labs: Mapping[int, Lab]) -> None:
    """Print a line for each lab."""
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("lab", "about", "minutes", "read"):
        table.add_column(heading, no_wrap=heading != "about")
    for it in listed(labs.values()):
        table.add_row(str(it["lab"]), it["title"], str(it["minutes"]), it["page"])
    console.print(table)
    console.print("begin: ./spanlab lab start 1", style="dim")


def show_start(console: Console, lab: Lab, copies: Sequence[Path]) -> None:
    """Print what was copied, and what to do with it."""
    console.print(Text(f"lab {lab.number}: {lab.title}, about {lab.minutes} minutes"))
    for path in copies:
        console.print(Text(f"  {path}"), soft_wrap=True)
    console.print(Text(f"read {lab.page}, then edit these files"), soft_wrap=True)


def show_report(console: Console, report: Report) -> None:
    """Print a line for each criterion, and what to do next below those that did not pass."""
    console.print(Text(f"lab {report.lab.number}: {report.lab.title}"))
    for finding in report.findings:
        sign, style = ("✓", "green") if finding.passed else ("✗", "red")
        line = Text.assemble((f"{sign} ", style), finding.criterion)
        console.print(line, soft_wrap=True)
        console.print(Text(f"    {finding.found}", style="dim"), soft_wrap=True)
        if finding.next:
            console.print(Text(f"    next: {finding.next}"), soft_wrap=True)
    for note in report.notes:
        console.print(Text(f"left out: {note}", style="dim"), soft_wrap=True)
    console.print(Text(f"{report.score} of {len(report.findings)} passed", style="bold"))
