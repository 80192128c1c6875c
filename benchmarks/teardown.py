"""How long it takes until a run's network is gone: ``python -m benchmarks.teardown``.

Runs are short ones of the command line, timed by their own events from *measured*, or from their
last step where they were ended in the middle of training, to *network gone*: ranks, lab, switches,
controller and spans go in between. Labs are built and taken down in this process, without ranks.
After each, what is left of it is counted; anything but 0 is a fault.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from experiments.durable import read_lines
from experiments.network import running_network
from experiments.runstate import manifest_in
from experiments.scenario import load_scenario
from experiments.twin import twin_of
from topologies.emulation.backends import choose_impairer
from topologies.emulation.capabilities import probe
from topologies.emulation.claims import claims
from topologies.emulation.ownership import marked_processes, owned_folder

SCENARIOS = Path(__file__).parents[1] / "experiments" / "scenarios"
LAB = SCENARIOS / "three-campuses.yaml"
_CAMPUS = {"workers": 1, "fabric": {"kind": "star", "rate": "1 Gbit/s"}}
RUN: dict[str, Any] = {
    "name": "teardown",
    "network": {
        "campuses": {"west": _CAMPUS, "east": {**_CAMPUS}},
        "spans": {"west-east": {"rate": "100 Mbit/s", "delay": "4 ms"}},
    },
    "workload": {"gradients": "4 MB", "compute": "20 ms", "steps": 12, "reference_steps": 3},
    "emulate": {"bytes": "1/10", "time": 1},
}
STOP_AFTER_STEP = 5


def main() -> None:
    """Measure and print; exit with 1 if anything was left."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--labs", type=int, default=20, help="of three campuses, without training")
    parser.add_argument("--runs", type=int, default=20, help="half of them ended by SIGTERM")
    options = parser.parse_args()
    left = 0
    for name, count, once in (
        ("labs of three campuses", options.labs, lab),
        ("runs to their end", options.runs // 2, run_to_its_end),
        ("runs ended as they train", options.runs - options.runs // 2, run_ended),
    ):
        found = []
        for number in range(count):
            seconds, remains = once()
            found.append(seconds)
            left += len(remains)
            print(f"{name} {number + 1}/{count}: {seconds:.2f} s {remains or ''}", file=sys.stderr)
        if found:
            print(summary(name, found), flush=True)
    print(f"left behind: {left}")
    sys.exit(bool(left))


def summary(name: str, seconds: Sequence[float]) -> str:
    """Return a line of a table: how many there were, median, 99th percentile and longest (s)."""
    p50, p99 = np.quantile(seconds, [0.5, 0.99])
    return f"| {name} | {len(seconds)} | {p50:.2f} | {p99:.2f} | {max(seconds):.2f} |"


def lab() -> tuple[float, list[str]]:
    """Build a lab and take it down; return how long that took (s), and what is left."""
    scenario, machine = load_scenario(LAB), probe()
    twin = twin_of(scenario)
    machine = choose_impairer(machine, None, twin.states)
    run = secrets.token_hex(3)
    with ExitStack() as stack:
        folder = stack.enter_context(owned_folder(run))
        stack.enter_context(running_network(twin, machine, scenario, folder=folder, logs=folder))
        begin = time.monotonic()
    return time.monotonic() - begin, remains(run)


def run_to_its_end() -> tuple[float, list[str]]:
    """Run to the end; see `lab`."""
    return _run("measured", lambda process, out: None)


def run_ended() -> tuple[float, list[str]]:
    """Tell a run to stop as it trains; see `lab`."""

    def stop(process: subprocess.Popen[bytes], out: Path) -> None:
        while process.poll() is None:
            steps = read_lines(out / "steps.jsonl")
            if any(it["step"] >= STOP_AFTER_STEP for it in steps):
                process.send_signal(signal.SIGTERM)
                return
            time.sleep(0.01)

    return _run(None, stop)


def _run(
    since: str | None, meanwhile: Callable[[subprocess.Popen[bytes], Path], None]
) -> tuple[float, list[str]]:
    """Time a run's teardown since an event, or since it was told to stop."""
    with TemporaryDirectory(prefix="spanlab-benchmarks-") as folder:
        file, out = Path(folder) / "scenario.yaml", Path(folder) / "out"
        file.write_text(yaml.safe_dump(json.loads(json.dumps(RUN))))
        process = subprocess.Popen(
            [sys.executable, "-m", "experiments", "run", str(file), "--out", str(out), "--json"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        meanwhile(process, out)
        told_ns = time.monotonic_ns()
        process.wait()
        at_ns = {it["kind"]: int(it["at_ns"]) for it in read_lines(out / "events.jsonl")}
        manifest = manifest_in(out) or {}
        begin_ns = at_ns[since] if since else told_ns
        return (at_ns["network gone"] - begin_ns) / 1e9, remains(str(manifest["run"]))


def remains(run: str) -> list[str]:
    """Return what is left of a run: processes, and folders below /run/spanlab."""
    found = [f"process {pid}" for pid in marked_processes(run)]
    return found + [str(it) for it in claims() if it.name.startswith(run)]


if __name__ == "__main__":
    main()
