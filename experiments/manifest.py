"""The manifest: what a run was, written before its first packet."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from experiments.scenario import Scenario
from experiments.similarity import summary
from experiments.strategyoptions import sizes
from experiments.twin import Twin
from topologies.emulation.capabilities import Capabilities
from topologies.emulation.ownership import MARK
from topologies.linkstate import LinkState
from topologies.units import render

PACKAGES = ("torch", "mininet", "os-ken", "numpy", "pydantic")


def manifest_of(
    scenario: Scenario,
    source: Path,
    run: str,
    twin: Twin,
    machine: Capabilities,
    *,
    live: bool = False,
) -> dict[str, Any]:
    """Return everything needed to repeat a run and to judge it, and to tell whether it goes on."""
    pid = os.getpid()
    return {
        "run": run,
        "pid": pid,
        "pid_start": start_of(pid),
        "live": live,
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": sys.argv,
        "source": str(source),
        "scenario": stated(scenario),
        "seed": scenario.seed,
        "quantities": quantities(scenario, twin),
        "similarity": summary(scenario, twin),
        "capabilities": asdict(machine),
        "versions": {
            "python": platform.python_version(),
            "open vswitch": _first_line(run, "ovs-vswitchd", "--version"),
            **{package: metadata.version(package) for package in PACKAGES},
        },
        "git": _git_state(run),
    }


def stated(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as a manifest has it: in text and base units, defaults included."""
    return scenario.model_dump(mode="json", by_alias=True, exclude_none=True)


def start_of(pid: int) -> int | None:
    """Return when a process began, in clock ticks since boot; None where there is none.

    Field 22 of /proc/PID/stat (proc(5)): with the number it tells a process from all others.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


def quantities(scenario: Scenario, twin: Twin) -> list[dict[str, str]]:
    """List each real quantity beside its emulated one, as text."""
    workload = scenario.workload
    rows = [
        ("gradients per step", workload.gradients, twin.gradient_bytes, "size"),
        ("all-reduce bucket", workload.bucket, twin.bucket_bytes, "size"),
        ("compute per step", workload.compute, twin.compute_ns, "duration"),
    ]
    rows += sizes(workload.strategy.name, workload.strategy.options, scenario.emulate.bytes)
    for campus, spec in scenario.network.campuses.items():
        host = next(host for host in twin.graph.workers if host.campus == campus)
        access = twin.access_bps[host.name]
        rows.append((f"access rate in {campus}", spec.fabric.rate, access, "rate"))
    for what, real, emulated in _states(twin):
        rows.append((f"{what}: rate", real.rate_bps, emulated.rate_bps, "rate"))
        rows.append((f"{what}: one-way delay", real.delay_ns, emulated.delay_ns, "duration"))
        if real.jitter and emulated.jitter:
            deviations = real.jitter.deviation_ns, emulated.jitter.deviation_ns
            rows.append((f"{what}: jitter", *deviations, "duration"))
    table = [
        {"quantity": name, "real": render(real, unit), "emulated": render(emulated, unit)}
        for name, real, emulated, unit in rows
    ]
    table += _unscaled(scenario, twin)
    for what, real, _ in _states(twin):
        if real.loss:
            loss = f"{real.mean_loss:.2g} of frames of {real.mtu} B"
            table.append({"quantity": f"{what}: loss", "real": loss, "emulated": loss})
    return table


def _unscaled(scenario: Scenario, twin: Twin) -> Iterator[dict[str, str]]:
    """List what is trained, and what makes compute times differ: the same at both scales."""
    model, workload = twin.model, scenario.workload
    parameters = f"{model.parameters:,} parameters"
    yield {"quantity": f"{model.task}: {model.about}", "real": "", "emulated": parameters}
    said = {}
    if workload.computing.cv:
        said["compute per step, spread"] = (
            f"{workload.computing.distribution}, cv {workload.computing.cv:.3g}"
        )
    if it := workload.stragglers:
        said["stragglers"] = f"{it.probability:.3g} of steps, {it.slowdown:g} times as long"
    for campus, spec in scenario.network.campuses.items():
        if set(spec.speed) != {1.0}:
            speeds = ", ".join(f"{speed:g}" for speed in spec.speed)
            said[f"speed of the accelerators in {campus}"] = speeds
    for name, text in said.items():
        yield {"quantity": name, "real": text, "emulated": text}


def _states(twin: Twin) -> Iterator[tuple[str, LinkState, LinkState]]:
    """Name each state that a span comes to, real and emulated; each way where they differ."""
    for change in twin.changes:
        if change.kind in ("fail", "restore", "reference", "back"):
            continue  # the same state, or none, or a campus's
        later = change.kind == "age" and not change.first
        kind = change.kind if change.kind == "set" else "older" if later else "aged"
        what = f"{change.span}, {change.upgrade or kind}"
        if change.real.forward == change.real.backward:
            yield what, change.real.forward, change.emulated.forward
        else:
            yield f"{what}, forward", change.real.forward, change.emulated.forward
            yield f"{what}, backward", change.real.backward, change.emulated.backward


def _git_state(run: str) -> str | None:
    """Return the commit of the project's own checkout, with ``-dirty`` where it was changed."""
    here = str(Path(__file__).parent)
    return _first_line(run, "git", "-C", here, "describe", "--always", "--dirty")


def _first_line(run: str, *command: str) -> str | None:
    marked = {**os.environ, MARK: run}
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=5, env=marked
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout else None
