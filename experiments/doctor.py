"""``spanlab doctor``: what this machine has, and which back ends follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.bounds import Bounds, bounds_for
from experiments.carrying import kept
from topologies.emulation.capabilities import Capabilities
from topologies.units import render


def diagnosis(machine: Capabilities) -> dict[str, Any]:
    """Return the probe's facts with the back ends that follow, for scripts."""
    carrying = kept()
    return {
        "ok": not machine.missing,
        "backend": {
            "impairer": machine.impairer,
            "datapath": machine.datapath,
            "runtime": "namespace",
        },
        "torch": metadata.version("torch"),
        "carrying": asdict(carrying) if carrying else None,
        "limits": bounds_for(machine.cpus, carrying).to_json(),
        **asdict(machine),
    }


def show_diagnosis(console: Console, machine: Capabilities) -> None:
    """Print each fact with what it means for a run."""
    unknown = not machine.root
    rows = [
        ("root", machine.root, "builds namespaces, switches and links"),
        ("network namespaces", machine.namespaces, "every emulated host is one"),
        ("TAP devices", machine.tap, "the relay's ends of a span"),
        ("sch_tbf", machine.tbf, "shapes the workers' access links"),
        ("sch_netem", machine.netem, "spans in the kernel; without it the relay carries them"),
        ("Open vSwitch kernel module", machine.kernel_datapath, "without it, its user datapath"),
        ("real-time priority", machine.realtime, "keeps spans on time while the cores are busy"),
    ]
    needs_root = {"network namespaces", "sch_tbf", "sch_netem", "Open vSwitch kernel module"}
    table = Table(show_header=False, show_edge=False, pad_edge=False)
    for name, present, meaning in rows:
        if unknown and name in needs_root:
            mark = "[dim]?[/]"
        else:
            mark = "[green]yes[/]" if present else "[yellow]no[/]"
        table.add_row(name, mark, f"[dim]{meaning}[/]")
    if machine.docker:
        what = "an engine runs" if machine.docker == "runs" else "a run starts its own engine"
        table.add_row("Docker", "[green]yes[/]", f"[dim]emulate.runtime: docker; {what}[/]")
    else:
        wanted = "emulate.runtime: docker; apt-get install docker.io debootstrap"
        table.add_row("Docker", "[yellow]no[/]", f"[dim]{wanted}[/]")
    controls = ", ".join(machine.congestion_controls)
    table.add_row("TCP permitted in namespaces", controls, "[dim]network.congestion_control[/]")
    carrying = kept()
    if carrying:
        table.add_row("switches carry", "measured", f"[dim]{carrying.in_words}[/]")
    else:
        table.add_row("switches carry", "?", "[dim]spanlab doctor --measure; for emulate: auto[/]")
    for row in _limits(bounds_for(machine.cpus, carrying)):
        table.add_row(*row)
    memory = f"{machine.memory_bytes / 2**30:.0f} GiB"
    table.add_row("machine", f"{machine.cpus} cores, {memory}", f"[dim]kernel {machine.kernel}[/]")
    console.print(table)
    if unknown:
        console.print("\n? is probed only as root: sudo ./spanlab doctor", highlight=False)
    else:
        console.print(
            f"\nback ends: spans by [bold]{machine.impairer}[/], switches on the "
            f"[bold]{machine.datapath}[/] datapath, ranks in [bold]namespaces[/]"
            + (" or [bold]containers[/]" if machine.docker else "")
        )
    for line in machine.missing:
        console.print(f"[red]missing[/] {line}", highlight=False)
    if not machine.missing:
        console.print("ready: ./spanlab demo", highlight=False)


def _limits(bounds: Bounds) -> Iterator[tuple[str, str, str]]:
    """Yield a row for each limit: of what, how many, and how it is known."""
    counts = ", ".join(f"{it.faithful} {it.name}" for it in bounds.counts)
    yield "faithful up to", "measured", f"[dim]{counts}, one at a time; {bounds.where}[/]"
    found = [(mtu, bounds.switched_bps(mtu)) for mtu in (1500, 9000)]
    each = " and ".join(f"{render(bps, 'rate')} at MTU {mtu}" for mtu, bps in found if bps)
    if each:
        yield "and of traffic", "measured", f"[dim]{each}, times the switches on its way[/]"
    else:
        how = "spanlab doctor --measure" if bounds.share else "python -m benchmarks.scale traffic"
        yield "and of traffic", "?", f"[dim]{how}[/]"
