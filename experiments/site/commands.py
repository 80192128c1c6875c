"""The commands ``docs`` and ``schema``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]
SITE = Path("build") / "docs"

console = Console()
errors = Console(stderr=True)


def docs(
    context: typer.Context,
    out: Annotated[Path, typer.Option(metavar="DIR", help="becomes the site")] = SITE,
) -> None:
    """Make the documentation as a site that is read without a network or a server."""
    from experiments.site.building import build
    from experiments.site.pages import generated

    with errors.status("making the documentation"):
        pages = generated(context.find_root().command, ROOT / "experiments" / "scenarios")
        first = build(ROOT / "docs", pages, out)
    console.print(f"open in a browser: {first}", highlight=False, soft_wrap=True)


def schema() -> None:
    """Print the JSON schema of scenario files, by which editors complete and check them."""
    from experiments.schema import scenario_schema

    print(json.dumps(scenario_schema(), indent=1))
