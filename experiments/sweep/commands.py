"""The commands of sweeps: run one, ask its table, lend a machine to one."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.errors import FAILED, NOT_FAITHFUL

console = Console()
errors = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="for scripts: JSON and nothing else")]


def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a sweep file")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="the sweep's folder; else runs/NAME")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="of a Dask scheduler whose workers run the points, or a file"
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="run again what has failed before")
    ] = False,
    as_json: AsJson = False,
    strict: Annotated[
        bool, typer.Option(help="exit with 4 when an emulation was not faithful")
    ] = False,
) -> None:
    """Run a scenario at every point of a sweep; given again, go on where it stopped."""
    from experiments.sweep.conduct import sweep as conduct
    from experiments.sweep.executors import Executor, Here
    from experiments.sweep.screen import SweepScreen, show_swept

    with SweepScreen(errors if as_json else console) as screen:
        executor: Executor = Here(file, screen)
        if cluster:
            from experiments.sweep.cluster import OnCluster

            executor = OnCluster(cluster, file, screen)
        swept = conduct(file, executor, screen, out, again=retry_failed, warn=_warn)
    if as_json:
        print(json.dumps(swept.to_json(), indent=1))
    else:
        show_swept(console, swept)
    if swept.failed:
        raise typer.Exit(FAILED)
    if strict and swept.doubtful:
        raise typer.Exit(NOT_FAITHFUL)


def query(
    question: Annotated[str, typer.Argument(metavar="SQL", help="a select over points")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="a sweep's folder; else all of runs/")
    ] = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="comma-separated, with a header")] = False,
) -> None:
    """Ask the tables of sweeps by SQL: points, steps and spans."""
    from experiments.sweep.query import ask

    answer = ask(question, out)
    for sentence in answer.aside:
        errors.print(Text(f"left out: {sentence}", style="dim"), soft_wrap=True)
    if as_json:
        rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
        print(json.dumps(rows, indent=1, default=str))
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerows([answer.columns, *answer.rows])
    else:
        table = Table(*answer.columns, show_edge=False, pad_edge=False)
        for row in answer.rows:
            table.add_row(*(Text(_shown(cell)) for cell in row))
        console.print(table)


def worker(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="of a Dask scheduler, such as tcp://host:8786")
    ],
) -> None:
    """Lend this machine to sweeps: emulate the points that a Dask scheduler gives it."""
    from experiments.sweep.attempt import require_machine
    from experiments.sweep.workforce import OFFER

    require_machine()
    arguments = ["--nthreads", "1", "--no-dashboard", *OFFER]
    command = [sys.executable, "-Im", "distributed.cli.dask_worker", address, *arguments]
    os.execv(sys.executable, command)


def _warn(line: str) -> None:
    errors.print(Text(line, style="yellow"), soft_wrap=True)


def _shown(cell: Any) -> str:
    if cell is None:
        return "-"
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)
