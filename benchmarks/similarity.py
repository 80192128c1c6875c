"""Do two scalings of one system give the same coherence? Real systems, each emulated at several.

``python -m benchmarks.similarity [--steps N] [SYSTEM ...]`` prints a table. The number of real
connections that share a pair of ranks belongs to the system, so it is stated where TCP matters.
"""

from __future__ import annotations

import argparse
import json
import time
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.__main__ import machine
from benchmarks.planner import Silent
from experiments.runner import run

SAME = 0.05
"""Coherences may differ by this share."""
STEPS, REFERENCE_STEPS = 8, 6


def _system(
    campuses: int, span: dict[str, Any], rate: str, mtu: int, **more: Any
) -> dict[str, Any]:
    """Return campuses with a worker each, every two of them joined by a span."""
    names = ["west", "east", "south"][:campuses]
    pairs = [("west", "east"), ("east", "south"), ("west", "south")][: 1 if campuses == 2 else 3]
    fabric = {"kind": "star", "rate": rate, "mtu": mtu}
    return {
        "name": "similar",
        "seed": 1,
        "network": {
            "campuses": {name: {"workers": 1, "fabric": fabric} for name in names},
            "spans": {f"{a}-{b}": span for a, b in pairs},
            **more,
        },
    }


SYSTEMS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[dict[str, Any], ...]]] = {
    "rates and delays": (
        _system(3, {"rate": "20 Gbit/s", "delay": "2 ms"}, "100 Gbit/s", 9000),
        {"gradients": "1 GB", "bucket": "250 MB", "compute": "250 ms"},
        (
            {"bytes": "1/500", "time": 2},
            {"bytes": "1/1000", "time": 4},
            {"bytes": "1/1000", "time": 2},
        ),
    ),
    "windows": (
        _system(2, {"rate": "10 Gbit/s", "delay": "10 ms"}, "20 Gbit/s", 1500, window="1310700 B"),
        {"gradients": "500 MB", "bucket": "250 MB", "compute": "500 ms"},
        (
            {"bytes": "1/100", "time": 2, "connections": 10},
            {"bytes": "1/200", "time": 3, "connections": 10},
            {"bytes": "1/200", "time": 1, "connections": 10},
        ),
    ),
    "losses": (
        _system(
            2,
            {"rate": "10 Gbit/s", "delay": "10 ms", "loss": 2.2e-6},
            "20 Gbit/s",
            1500,
            window="8 MB",
        ),
        {"gradients": "500 MB", "bucket": "250 MB", "compute": "500 ms"},
        (
            {"bytes": "1/100", "time": 2, "connections": 10},
            {"bytes": "1/200", "time": 1, "connections": 10},
        ),
    ),
}
"""By name: network, workload, and the scalings to compare, the first with each other."""


def scenario(name: str, scaling: dict[str, Any], steps: int = STEPS) -> dict[str, Any]:
    """Return a system at a scaling as a scenario file has it."""
    system, workload, _ = SYSTEMS[name]
    counts = {"steps": REFERENCE_STEPS + steps, "reference_steps": REFERENCE_STEPS}
    return deepcopy({**system, "workload": {**workload, **counts}, "emulate": scaling})


def measure(name: str, scaling: dict[str, Any], steps: int) -> dict[str, Any]:
    """Emulate a system at a scaling; return the result of the run."""
    with TemporaryDirectory(prefix="spanlab-benchmarks-") as folder:
        file = Path(folder) / "similar.yaml"
        file.write_text(json.dumps(scenario(name, scaling, steps)))
        _, result = run(file, Silent(), Path(folder) / "run")
    if result["error"]:
        raise SystemExit(f"{name}, {scaling}: {result['error']}")
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.similarity")
    parser.add_argument("system", nargs="*", help=f"of {', '.join(SYSTEMS)}; all")
    parser.add_argument("--steps", type=int, default=STEPS, help="over the spans")
    options = parser.parse_args()
    begin = time.monotonic()
    print(f"On {machine()}, {options.steps} steps each.\n")
    print(
        "| system | scaling | reference step, ms | step, ms | coherence | of the first | verdict |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in options.system or SYSTEMS:
        first = None
        for scaling in SYSTEMS[name][2]:
            result = measure(name, scaling, options.steps)
            (phase,) = result["phases"]
            first = first or phase["coherence"]
            low, high = phase["coherence_ci"]
            said = ", ".join(f"{key} {value}" for key, value in scaling.items())
            print(
                f"| {name} | {said} | {result['reference']['step_ms']['p50']:.0f} "
                f"| {phase['step_ms']['p50']:.0f} "
                f"| {phase['coherence']:.3f} ({low:.3f} to {high:.3f}) "
                f"| {phase['coherence'] / first - 1:+.1%} | {result['fidelity']['verdict']} |",
                flush=True,
            )
    print(f"\nTaking {time.monotonic() - begin:.0f} s.")


if __name__ == "__main__":
    main()
