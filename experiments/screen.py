"""What a run shows in a terminal: a progress bar with the live step time and coherence."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from experiments.bar import Bar
from experiments.coherence import COHERENT, DEGRADED, in_digits
from experiments.learning import loss_sentence
from topologies.units import render

VERDICT_STYLES = {"faithful": "green", "degraded": "yellow", "invalid": "bold red"}
CLASS_STYLES = {"coherent": "green", "degraded": "yellow", "incoherent": "red"}


class Screen(Bar):
    """Watches a run (see `experiments.session.Observer`) and shows it on a console."""

    def __init__(self, console: Console) -> None:
        """Prepare a bar on ``console``."""
        self._console = console
        super().__init__(
            Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[pace]}"),
                console=console,
                transient=True,
            )
        )
        self._task = self._progress.add_task("starting", total=None, pace="")
        self._phase = ""

    def begin(self, steps: int) -> None:
        """Start to show a run of ``steps`` steps."""
        self._progress.start()
        self._progress.update(self._task, total=steps)

    def stage(self, text: str) -> None:
        """Show what the run does now."""
        self._progress.update(self._task, description=text)

    def step(self, step: int, phase: str, step_ms: float, coherence: float | None) -> None:
        """Move the bar on; announce each new phase above it."""
        if phase != self._phase:
            self._phase = phase
            self._progress.console.print(f"[dim]step {step:>3}[/dim]  {phase}")
        pace = f"{step_ms:.0f} ms/step"
        if coherence is not None:
            style = (
                "green" if coherence >= COHERENT else "yellow" if coherence >= DEGRADED else "red"
            )
            pace += f"  coherence [{style}]{in_digits(coherence)}[/]"
        self._progress.update(self._task, completed=step + 1, description=phase, pace=pace)


def show_result(console: Console, result: dict[str, Any]) -> None:
    """Print the verdict, the table of phases and the headline."""
    fidelity = result["fidelity"]
    verdict = fidelity["verdict"]
    console.print(Text(f"emulation {verdict}", style=VERDICT_STYLES[verdict]))
    for reason in fidelity["reasons"][:5]:
        console.print(Text(f"  {reason}"))
    if result["reference"]:
        console.print(_phase_table(result))
        if "serving" in result["reference"]:
            console.print(_service_table(result))
    if result["interruptions"]:
        console.print(_interruption_table(result))
        console.print(
            Text(f"Goodput {result['goodput']:.2f}: the share of time in steps that count.")
        )
    console.print(Text(result["headline"], style="bold"))
    if sentence := loss_sentence(result):
        console.print(Text(sentence))


def _phase_table(result: dict[str, Any]) -> Table:
    learns = result["task"]["best_loss"] is not None
    # Narrow enough for 80 columns, which is all that a terminal without a screen has.
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    table.add_column("phase")
    for name in ("steps", "step p50", "p99", "coherence", "95 % interval"):
        table.add_column(name, justify="right")
    if learns:
        table.add_column("loss", justify="right")
    table.add_column("class")

    def add(row: dict[str, Any], *cells: str | Text) -> None:
        *before, kind = cells
        loss = ["-" if row["loss"] is None else f"{row['loss']:.2f}"] if learns else []
        table.add_row(*before, *loss, kind)

    usual = result["reference"]["step_ms"]
    add(result["reference"], "reference", "", _ms(usual["p50"]), _ms(usual["p99"]), "1.00", "", "")
    for phase in result["phases"]:
        low, high = phase["coherence_ci"]
        add(
            phase,
            phase["name"],
            f"{phase['from_step']}-{phase['to_step']}",
            _ms(phase["step_ms"]["p50"]),
            _ms(phase["step_ms"]["p99"]),
            in_digits(phase["coherence"]),
            f"{low:.2f}-{high:.2f}",
            Text(phase["class"], style=CLASS_STYLES[phase["class"]]),
        )
    return table


def _service_table(result: dict[str, Any]) -> Table:
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("requests")
    for name in ("answered per s", "latency p50", "p99"):
        table.add_column(name, justify="right")
    for found in (result["reference"], *result["phases"]):
        serving = found["serving"]
        latency = serving["latency_ms"]
        table.add_row(
            found.get("name", "reference"),
            f"{serving['requests_per_s']:.2f}",
            _ms(latency["p50"]),
            _ms(latency["p99"]),
        )
    return table


def _interruption_table(result: dict[str, Any]) -> Table:
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("before step", justify="right")
    table.add_column("because")
    for name in ("workers", "steps again", "state sent", "back after"):
        table.add_column(name, justify="right")
    for it in result["interruptions"]:
        back_s = it["recovery_s"]
        table.add_row(
            str(it["step"]),
            Text(it["cause"]),
            str(it["workers"]),
            str(it["lost_steps"]),
            f"{it['state_bytes'] / 1e6:.3f} MB",
            "-" if back_s is None else f"{back_s:.1f} s",
        )
    return table


def _ms(value: float) -> str:
    return render(value * 1e6, "duration")
