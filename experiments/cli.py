"""The command line: thin commands that say what happened by their exit code.

0 done, 1 failed, 2 bad input, 3 the machine lacks something, 4 not faithful (run: under --strict).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from experiments import livecli
from experiments.dashboard import commands as dashboards
from experiments.errors import (
    BAD_INPUT,
    FAILED,
    MACHINE_LACKS,
    NOT_FAITHFUL,
    Interrupted,
    RunFailed,
)
from experiments.labs.commands import lab_app
from experiments.reports import commands as reports
from experiments.site import commands as site
from experiments.sweep import commands
from topologies.errors import NetworkError
from topologies.shown import harmless

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "experiments" / "scenarios" / "three-campuses.yaml"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Campuses miles apart, ageing links, real training: which upgrade makes them one again?",
)
console = Console()
errors = Console(stderr=True)

File = Annotated[Path, typer.Argument(metavar="FILE", help="a scenario file")]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="becomes the run folder")]
AsJson = Annotated[bool, typer.Option("--json", help="for scripts: JSON and nothing else")]
Strict = Annotated[bool, typer.Option(help="exit with 4 when the emulation was not faithful")]


@app.command()
def demo(
    out: Out = None,
    as_json: AsJson = False,
    strict: Strict = False,
) -> None:
    """Run the bundled scenario: three campuses, two old spans, two upgrades."""
    _run(DEMO, out, as_json, strict)


@app.command()
def run(
    file: File,
    out: Out = None,
    as_json: AsJson = False,
    strict: Strict = False,
    live: Annotated[bool, typer.Option("--live", help="hear wishes while it trains")] = False,
) -> None:
    """Emulate a scenario, train through it, and report what each upgrade restored."""
    _run(file, out, as_json, strict, live=live)


@app.command()
def validate(file: File, as_json: AsJson = False) -> None:
    """Check a scenario file without touching the machine; show the twin it becomes."""
    from experiments.advice import advice
    from experiments.bounds import bounds_here
    from experiments.loading import load_twin
    from experiments.manifest import quantities
    from experiments.similarity import summary, verdict

    scenario, twin = load_twin(file)
    rows, similar = quantities(scenario, twin), summary(scenario, twin)
    advised = advice(scenario, twin, bounds_here())
    if as_json:
        answer = {"valid": True, "name": scenario.name, "quantities": rows, "similarity": similar}
        answer["advice"] = advised
        print(json.dumps(answer, indent=1))
        return
    from rich.table import Table

    table = Table("quantity", "real", "emulated", show_edge=False, pad_edge=False)
    for row in rows:
        table.add_row(row["quantity"], row["real"], row["emulated"])
    console.print(table)
    for reason in (*twin.because, verdict(similar["groups"])):
        console.print(Text(reason, style="dim"))
    for sentence in advised:
        console.print(Text(sentence, style="yellow"))
    console.print(Text(f"{file}: valid", style="green"))


@app.command()
def links(
    file: File,
    seconds: Annotated[float, typer.Option(min=0.5, max=60, help="of each measurement")] = 2.0,
    span: Annotated[str | None, typer.Option(metavar="NAME", help="this one, in detail")] = None,
    as_json: AsJson = False,
) -> None:
    """Build a scenario's network, measure every aged span alone; exit with 4 if one is wrong."""
    from experiments.links import inspect
    from experiments.linkscreen import show_links

    with (errors if as_json else console).status("starting") as status:
        directions = inspect(file, span, seconds, status.update)
    if as_json:
        print(json.dumps([direction.to_json() for direction in directions], indent=1))
    else:
        show_links(console, directions, details=span is not None)
    if not all(direction.ok for direction in directions):
        raise typer.Exit(NOT_FAITHFUL)


@app.command()
def explain(
    file: File,
    span: Annotated[str, typer.Argument(metavar="SPAN", help="a span that states a condition")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="of the page")] = None,
    as_json: AsJson = False,
) -> None:
    """Derive what a span does to packets from its kilometres and years, step by step."""
    from experiments.explain import explanation_of, show, write_page
    from experiments.scenario import load_scenario

    scenario = load_scenario(file)
    explanation = explanation_of(scenario, span)
    if as_json:
        print(json.dumps(explanation.to_json(), indent=1))
        return
    show(console, explanation)
    page = out or Path("runs") / f"explain-{scenario.name}-{span}.html"
    write_page(page, scenario, explanation)
    console.print(f"plot: {page}", highlight=False, soft_wrap=True)


@app.command()
def plan(
    file: File,
    budget: Annotated[float | None, typer.Option(min=0, metavar="USD", help="at most")] = None,
    target: Annotated[float | None, typer.Option(min=0.01, max=1, help="coherence wanted")] = None,
    confirm: Annotated[int, typer.Option(min=0, max=8, metavar="K", help="emulate the best K")] = 0,
    out: Out = None,
    as_json: AsJson = False,
    strict: Strict = False,
) -> None:
    """Weigh every set of upgrades: which one restores coherence, and for how much."""
    from experiments.autoscale import settled
    from experiments.carrying import known
    from experiments.planner.page import write_plan
    from experiments.planner.plan import plan as make_plan
    from experiments.planner.screen import show_plan
    from experiments.scenario import load_scenario
    from experiments.twin import twin_of
    from experiments.warning import warn

    with (errors if as_json else console).status("weighing upgrades") as status:
        if confirm:
            from experiments.carrymeasure import ensure_known

            ensure_known(file, status.update)
        scenario, _ = settled(load_scenario(file), known())
        warn(errors, scenario, twin_of(scenario))
        answer = make_plan(scenario, target, budget, status.update)
    result = None
    if confirm:
        from experiments.planner.confirm import confirm as emulate
        from experiments.planner.plan import best
        from experiments.screen import Screen

        with Screen(errors if as_json else console) as screen:
            folder, result, answer = emulate(
                scenario, answer, best(answer, confirm), file, screen, out
            )
        page = folder / "plan.html"
    else:
        page = (out or Path("runs")) / f"plan-{scenario.name}.html"
    write_plan(page, scenario, answer)
    if as_json:
        print(json.dumps(answer.to_json(), indent=1))
    else:
        show_plan(console, answer)
        console.print(f"report: {page}", highlight=False, soft_wrap=True)
    if result:
        raise typer.Exit(_exit_code(result, strict))


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="folders of finished runs")],
    against: Annotated[
        str | None, typer.Option(metavar="PHASE", help="by default the phase before")
    ] = None,
    difference: Annotated[
        float, typer.Option(min=0.001, max=1, help="that more measuring is to tell: 0.03 is 3 %")
    ] = 0.03,
    unfaithful: Annotated[
        bool, typer.Option("--unfaithful", help="count runs that were not faithful, too")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say which phase or scenario is faster, how sure that is, and what would decide it."""
    from experiments.comparescreen import show_comparison
    from experiments.comparing import report
    from experiments.finished import read_run
    from experiments.repetitions import groups_of
    from experiments.understood import understood

    finished = [read_run(folder) for folder in runs]
    with understood(runs[0].parent):
        groups = groups_of(finished, unfaithful=unfaithful)
        found = report(groups, against, difference)
        if as_json:
            print(json.dumps(found, indent=1))
        else:
            show_comparison(console, found)


@app.command()
def strategies(as_json: AsJson = False) -> None:
    """List the training strategies, and the options that a scenario may state for each."""
    from experiments.strategylist import listed, show_strategies

    if as_json:
        print(json.dumps(listed(), indent=1))
    else:
        show_strategies(console)


@app.command()
def tasks(as_json: AsJson = False) -> None:
    """List the tasks that ranks learn, and the options that a scenario may state for each."""
    from experiments.tasklist import listed, show_tasks

    if as_json:
        print(json.dumps(listed(), indent=1))
    else:
        show_tasks(console)


@app.command()
def doctor(
    as_json: AsJson = False,
    measure: Annotated[bool, typer.Option(help="what its switches carry: half a minute")] = False,
) -> None:
    """Show what this machine has and which back ends follow; exit with 3 if it cannot run."""
    from experiments.doctor import diagnosis, show_diagnosis
    from topologies.emulation.capabilities import probe

    machine = probe()
    if measure and not machine.missing:
        from experiments import carrymeasure

        with (errors if as_json else console).status("measuring what this machine carries"):
            carrymeasure.renew()
    if as_json:
        print(json.dumps(diagnosis(machine), indent=1))
    else:
        show_diagnosis(console, machine)
    if machine.missing:
        raise typer.Exit(MACHINE_LACKS)


@app.command()
def clean(as_json: AsJson = False) -> None:
    """Remove what runs that died left behind, and nothing else."""
    from topologies.emulation.reaping import reap

    if os.geteuid() != 0:
        _stop("clean needs root: sudo ./spanlab clean", MACHINE_LACKS)
    reaped = reap()
    if as_json:
        print(json.dumps(asdict(reaped)))
        return
    if reaped.runs:
        runs = ", ".join(reaped.runs)
        console.print(f"removed {reaped.processes} processes and the state of runs {runs}")
    elif not reaped.waiting:
        console.print("nothing to clean")
    for run, why in reaped.waiting.items():
        console.print(Text(f"of run {run} stay {why}", style="yellow"), soft_wrap=True)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def test(context: typer.Context) -> None:
    """Run every test, ruff and mypy; further arguments go to pytest."""
    module = [sys.executable, "-I", "-m"]

    def run(*command: str) -> None:
        if subprocess.run([*module, *command], check=False, cwd=ROOT).returncode:
            raise typer.Exit(FAILED)

    if context.args:
        run("pytest", *context.args)
        return
    run("ruff", "check", ".")
    run("ruff", "format", "--check", ".")
    # Beside the first tests, which are worked on by two: those that measure come last, alone. What
    # fails is tried once more, and shown (tests/conftest.py).
    two = ("-n", "2", "--dist", "loadscope", "--no-loadscope-reorder", "--reruns", "1")
    with subprocess.Popen([*module, "mypy"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as mypy:
        tests = subprocess.run([*module, "pytest", *two], check=False, cwd=ROOT)
        found, _ = mypy.communicate()
    print(found, end="")
    if tests.returncode or mypy.returncode:
        raise typer.Exit(FAILED)


for command in (
    livecli.up,
    livecli.status,
    livecli.path,
    livecli.drain,
    livecli.undrain,
    livecli.policies,
    commands.sweep,
    commands.query,
    commands.worker,
    reports.report,
    site.docs,
    site.schema,
    dashboards.dashboard,
):
    app.command()(command)
app.add_typer(livecli.policy_app, name="policy")
app.add_typer(lab_app, name="lab")


def main() -> None:
    """Run the command line; every expected error becomes one message and an exit code."""
    from experiments.users import keep_others_from_writing
    from topologies.emulation.errors import MachineError

    keep_others_from_writing()
    try:
        app(prog_name="spanlab", standalone_mode=True)
    except NetworkError as error:
        _stop(str(error), BAD_INPUT)
    except MachineError as error:
        _stop(str(error), MACHINE_LACKS)
    except RunFailed as error:
        _stop(str(error), FAILED)
    except Interrupted:
        _stop("interrupted", FAILED)
    except BrokenPipeError:
        os._exit(FAILED)  # whoever read our output has gone


def _run(file: Path, out: Path | None, as_json: bool, strict: bool, *, live: bool = False) -> None:
    from experiments.loading import load_twin
    from experiments.runner import run as run_scenario
    from experiments.screen import Screen, show_result
    from experiments.warning import warn

    warn(errors, *load_twin(file))
    with Screen(errors if as_json else console) as screen:
        folder, result = run_scenario(file, screen, out, live=live)
    if as_json:
        print(json.dumps({"folder": str(folder), **result}, indent=1))
    else:
        show_result(console, result)
        console.print(f"report: {folder / 'report.html'}", highlight=False, soft_wrap=True)
    raise typer.Exit(_exit_code(result, strict))


def _exit_code(result: dict[str, Any], strict: bool) -> int:
    if result["status"] != "finished":
        return FAILED
    return NOT_FAITHFUL if strict and result["fidelity"]["verdict"] != "faithful" else 0


def _stop(message: str, code: int) -> NoReturn:
    errors.print(Text(harmless(message)), style="red", soft_wrap=True)
    sys.exit(code)
