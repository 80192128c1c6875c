"""The command that makes pages of finished runs and sweeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

console = Console()


def report(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="folders of runs, or one of a sweep")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="of the page; else in the folder")
    ] = None,
    unfaithful: Annotated[
        bool, typer.Option("--unfaithful", help="compare runs that were not faithful, too")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="for scripts: JSON and nothing else")
    ] = False,
) -> None:
    """Make the page of a finished run anew, or one that compares several, or that of a sweep."""
    from experiments.reports.making import make

    made = make(folders, out, unfaithful=unfaithful)
    if as_json:
        print(json.dumps({"report": str(made.path), "headline": made.headline}, indent=1))
    else:
        console.print(Text(made.headline))
        console.print(f"report: {made.path}", highlight=False, soft_wrap=True)
