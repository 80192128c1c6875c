"""What a sweep shows in a terminal: how many runs are done, failed and left, and the last one."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from experiments.bar import Bar
from experiments.coherence import in_digits
from experiments.sweep.conduct import Swept
from experiments.sweep.ended import Ended
from experiments.sweep.points import Point

PACE_OVER_S = 3600.0
"""Time left is told from the pace of the last hour: a run takes seconds to minutes."""
SHOWN = 5
"""Failures that are said one by one at the end."""


class SweepScreen(Bar):
    """Watches a sweep, and each run that this process makes itself, and shows them on a console."""

    def __init__(self, console: Console) -> None:
        """Prepare a bar on ``console``."""
        self._console = console
        super().__init__(
            Progress(
                SpinnerColumn(),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[tally]}"),
                TimeRemainingColumn(),
                TextColumn("[dim]{task.description}[/]"),
                console=console,
                transient=True,
                speed_estimate_period=PACE_OVER_S,
            )
        )
        self._task = self._progress.add_task("starting", total=None, tally="")
        self._failed = 0
        self._last: float | None = None
        self._phase = ""

    def begin_sweep(self, total: int, ended: Sequence[Ended]) -> None:
        """Show how many runs there are; those that have ended count as done."""
        self._failed = sum(run.status != "finished" for run in ended)
        self._progress.update(self._task, total=total, completed=len(ended), tally=self._tally())
        if ended:
            self._console.print(f"going on: {len(ended)} of {total} runs have ended", style="dim")

    def ended(self, point: Point, run: Ended) -> None:
        """Move the bar on; say what failed above it."""
        if run.status != "finished":
            self._failed += 1
            said = f"{point.name} failed: {run.error}"
            self._progress.console.print(Text(said.splitlines()[0], style="red"), soft_wrap=True)
        self._last = run.coherence if run.coherence is not None else self._last
        self._progress.update(self._task, advance=1, tally=self._tally())

    def begin(self, steps: int) -> None:
        """Hear that a run begins."""

    def stage(self, text: str) -> None:
        """Show what is done now."""
        if self._console.is_terminal and not self._progress.live.is_started:
            self._progress.start()
        self._progress.update(self._task, description=text)

    def step(self, step: int, phase: str, step_ms: float, coherence: float | None) -> None:
        """Show the phase that a run is in."""
        self._progress.update(self._task, description=f"{phase}, {step_ms:.0f} ms/step")

    def _tally(self) -> str:
        failed = f"[red]{self._failed} failed[/]  " if self._failed else ""
        last = "" if self._last is None else f"last coherence {in_digits(self._last)}  "
        return f"{failed}{last}"


def show_swept(console: Console, swept: Swept) -> None:
    """Say how many runs finished, what failed and where, and what to do with the table."""
    done = len(swept.ended) - len(swept.failed)
    console.print(
        Text(f"{done} of {len(swept.points)} runs finished", "red" if swept.failed else "green")
    )
    for run in swept.failed[:SHOWN]:
        point = swept.points[run.index]
        said = (run.error or run.status).splitlines()[0]
        log = swept.folder / "points" / run.folder / "logs"
        console.print(Text(f"  {point.name}: {said} ({log})"), soft_wrap=True)
    if swept.failed:
        more = len(swept.failed) - SHOWN
        lead = f"and {more} more; " if more > 0 else ""
        console.print(f"  {lead}--retry-failed runs what has failed again", style="dim")
    if swept.doubtful:
        console.print(
            Text(
                f"{len(swept.doubtful)} were not faithful: do not rely on their numbers "
                "(verdict in the table)",
                "yellow",
            )
        )
    console.print(f"table: {swept.folder / 'points.parquet'}", highlight=False, soft_wrap=True)
    console.print(
        f'try: ./spanlab query "select * from points" --out {swept.folder}',
        style="dim",
        highlight=False,
        soft_wrap=True,
    )
