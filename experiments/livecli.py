"""Commands for a lab that is up: who routes, which way, and around which span."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from controller.errors import ControllerError
from controller.messages import SpanReport
from experiments.errors import FAILED, RunFailed

console = Console()
errors = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="for scripts: JSON and nothing else")]
Run = Annotated[str | None, typer.Option("--run", metavar="ID", help="where several labs are up")]
Worker = Annotated[str, typer.Argument(metavar="WORKER", help="such as north-w1")]
Span = Annotated[str, typer.Argument(metavar="SPAN")]

policy_app = typer.Typer(no_args_is_help=True, help="Show or switch the policy of a live lab.")


def up(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a scenario file")],
    wired: Annotated[
        bool, typer.Option("--wired", help="give fabrics wires, on which packets can be seen")
    ] = False,
) -> None:
    """Build a scenario's network without training, and hold it until Ctrl-C."""
    from experiments.up import hold

    with console.status("starting") as status:

        def ready(run: str) -> None:
            status.stop()
            console.print(Text(f"lab {run} is up; Ctrl-C takes it down", style="green"))
            console.print(
                "try: ./spanlab status, ./spanlab path WORKER WORKER --trace", style="dim"
            )

        hold(file, wired, status.update, ready)
    console.print("lab taken down")


def policies(as_json: AsJson = False) -> None:
    """List the routing policies."""
    from controller import policies as known

    found = known.descriptions()
    if as_json:
        print(json.dumps(found, indent=1))
        return
    table = Table("policy", "what it does", show_edge=False, pad_edge=False)
    for name, sentence in found.items():
        table.add_row(name, sentence)
    console.print(table)


@policy_app.command("set")
def set_policy(
    name: Annotated[str, typer.Argument(metavar="NAME")], run: Run = None, as_json: AsJson = False
) -> None:
    """Route by another policy from now on."""
    with _controller(run) as controller:
        changed = controller.set_policy(name)
    _say(
        as_json,
        changed.model_dump(),
        f"{name} is in force: {changed.entries} entries of switches changed",
    )


@policy_app.command("show")
def show_policy(run: Run = None, as_json: AsJson = False) -> None:
    """Say which policy routes."""
    with _controller(run) as controller:
        health = controller.health()
    _say(as_json, {"policy": health.policy, "error": health.error}, health.policy)
    if health.error:
        errors.print(Text(health.error, style="red"))
        raise typer.Exit(FAILED)


def status(run: Run = None, as_json: AsJson = False) -> None:
    """Show a live lab: its controller, and every span as told, measured and used."""
    with _controller(run) as controller:
        health, spans = controller.health(), controller.spans()
    if as_json:
        dumped = {name: span.model_dump(mode="json") for name, span in spans.items()}
        print(json.dumps({"health": health.model_dump(mode="json"), "spans": dumped}, indent=1))
        return
    switches = f"{health.switches.ready} of {health.switches.expected} switches ready"
    console.print(f"policy {health.policy}, version {health.version}, {switches}")
    columns = ("span", "state", "delay", "probed, ms", "loss", "probed, 95 %", "Mbit/s")
    table = Table(*columns, show_edge=False, pad_edge=False)
    for name, span in spans.items():
        table.add_row(name, *_row(span))
    console.print(table)
    faults = [*health.miswired, *health.unseen, *health.foreign]
    faults += [f"no way joins {a} and {b}" for a, b in health.cut_off]
    for fault in [*faults, *([health.error] if health.error else [])]:
        errors.print(Text(fault, style="red"), soft_wrap=True)


def path(
    source: Worker,
    target: Worker,
    trace: Annotated[
        bool, typer.Option("--trace", help="send a packet and see which way it takes")
    ] = False,
    sport: Annotated[
        int, typer.Option(min=1, max=65535, help="source port of that packet")
    ] = 40_000,
    run: Run = None,
    as_json: AsJson = False,
) -> None:
    """Show the ways that the rules of a live lab let packets take; fail where none arrives."""
    from experiments.attach import inside

    with inside(run) as (lab, graph), _as_run_failures():
        ways = lab.controller.ways(source, target)
        seen = None
        if trace:
            from experiments.tracepath import trace_path

            seen = trace_path(lab, graph, source, target, ways, sport)
    if as_json:
        found: dict[str, Any] = {"ways": [way.model_dump(mode="json") for way in ways]}
        if seen:
            found["seen"] = asdict(seen)
        print(json.dumps(found, indent=1))
    else:
        for way in ways:
            outcome = "" if way.outcome == "delivered" else f"  {way.outcome}"
            share = "" if len(ways) == 1 else f"  {way.share:.0%} of flows"
            console.print(Text(" > ".join(way.nodes) + share + outcome), soft_wrap=True)
        if seen:
            good = seen.intended and seen.arrived
            hops = " > ".join(f"{switch} port {port}" for switch, port in seen.hops)
            verdict = "as intended" if good else "NOT as intended"
            console.print(
                Text(
                    f"seen on the wire: {hops or 'nothing'}: {verdict}", "green" if good else "red"
                ),
                soft_wrap=True,
            )
            if seen.unwired:
                console.print(
                    f"{seen.unwired} of its hops are patches between switches of one campus, on "
                    "which nothing can be captured: ./spanlab up FILE --wired gives them wires"
                )
    if not all(way.outcome == "delivered" for way in ways) or (
        seen and not (seen.intended and seen.arrived)
    ):
        raise typer.Exit(FAILED)


def drain(span: Span, run: Run = None, as_json: AsJson = False) -> None:
    """Lead all traffic of a live lab around a span, before anything is done to it."""
    with _controller(run) as controller:
        changed = controller.drain(span)
    _say(as_json, changed.model_dump(), f"{span} is drained: no packet can be on it any more")


def undrain(span: Span, run: Run = None, as_json: AsJson = False) -> None:
    """Let traffic of a live lab use a span again."""
    with _controller(run) as controller:
        changed = controller.undrain(span)
    _say(as_json, changed.model_dump(), f"{span} may be used again")


@contextmanager
def _controller(run: str | None) -> Iterator[Any]:
    from experiments.attach import inside

    with inside(run) as (lab, _), _as_run_failures():
        yield lab.controller


@contextmanager
def _as_run_failures() -> Iterator[None]:
    try:
        yield
    except ControllerError as error:
        raise RunFailed(str(error)) from None


def _row(span: SpanReport) -> tuple[str, ...]:
    """Return the cells of a span's line; what has two directions, forward over backward."""
    ways = (span.forward, span.backward)
    losses = [way.loss_interval for way in ways]
    return (
        "drained" if span.drained else "up" if span.used.up else "down",
        f"{span.told.delay_ns / 1e6:.2f} ms",
        "\n".join("-" if it.delay_ns is None else f"{it.delay_ns / 1e6:.2f}" for it in ways),
        f"{span.told.loss:.2g}",
        "\n".join("-" if it is None else f"{it[0]:.2g} to {it[1]:.2g}" for it in losses),
        "\n".join(f"{bps / 1e6:.1f}" for bps in span.bps),
    )


def _say(as_json: bool, data: dict[str, Any], sentence: str) -> None:
    if as_json:
        print(json.dumps(data, indent=1))
    else:
        console.print(Text(sentence))
