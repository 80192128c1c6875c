"""The commands of the guided labs: none of them needs root."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from experiments.errors import FAILED

console = Console()

lab_app = typer.Typer(no_args_is_help=True, help="Guided labs: list, start, check.")

Number = Annotated[int, typer.Argument(metavar="N", help="of the lab")]
AsJson = Annotated[bool, typer.Option("--json", help="for scripts: JSON and nothing else")]


@lab_app.command("list")
def list_labs(as_json: AsJson = False) -> None:
    """List the labs, what each is about, and its page."""
    from experiments.labs.catalogue import LABS
    from experiments.labs.screen import listed, show_labs

    if as_json:
        print(json.dumps(listed(LABS.values()), indent=1))
    else:
        show_labs(console, LABS)


@lab_app.command()
def start(
    number: Number,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="a new one; by default lab-N")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy a lab's files to where you edit and run them."""
    from experiments.labs.catalogue import lab_of
    from experiments.labs.screen import show_start
    from experiments.labs.starting import start as copy

    lab = lab_of(number)
    copies = copy(lab, folder or Path(lab.name))
    if as_json:
        told = {"lab": number, "files": [str(path) for path in copies], "page": str(lab.page)}
        print(json.dumps(told, indent=1))
    else:
        show_start(console, lab, copies)


@lab_app.command()
def check(
    number: Number,
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", help="run folders; by default all below ./runs"),
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="by default lab-N/answers.yaml")
    ] = None,
    unfaithful: Annotated[
        bool, typer.Option("--unfaithful", help="count runs that were degraded, too")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Hold your runs and predictions against a lab; exit with 1 if something is left to do."""
    from experiments.labs.answers import NAME, read_answers
    from experiments.labs.catalogue import lab_of
    from experiments.labs.checking import check as hold
    from experiments.labs.evidence import RUNS, Evidence, named_runs, runs_below
    from experiments.labs.screen import show_report

    lab = lab_of(number)
    keys = [question.key for question in lab.questions]
    numbers = read_answers(answers or Path(lab.name) / NAME, keys, needed=answers is not None)
    found, aside = (named_runs(runs), []) if runs else runs_below(RUNS, lab.name)
    report = hold(lab, Evidence(found, aside, numbers, unfaithful))
    if as_json:
        print(json.dumps(report.to_json(), indent=1))
    else:
        show_report(console, report)
    if not report.passed:
        raise typer.Exit(FAILED)
