"""``spanlab doctor``: what this machine has, and which back ends follow."""

from __future__ import annotations

from dataclasses import asdict
from importlib import metadata
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.carrying import kept
from topologies.emulation.capabilities import Capabilities


def diagnosis(machine: Capabilities) -> dict[str, Any]:
    """Return the probe's facts with the back ends that follow, for scripts."""
    return {
        "ok": not machine.missing,
        "backend": {
            "impairer": machine.impairer,
            "datapath": machine.datapath,
            "runtime": "namespace",
        },
        "torch": metadata.version("torch"),
        "carrying": asdict(carrying) if (carrying := kept()) else None,
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
