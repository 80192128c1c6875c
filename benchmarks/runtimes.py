"""Do ranks in containers train as ranks in namespaces do? One scenario in both, by turns.

``python -m benchmarks.runtimes [--pairs N] [FILE]`` prints the coherence of every phase, its
interval in each run, and how far the two are apart over all pairs. Needs root, and Docker.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from tempfile import TemporaryDirectory
from typing import Any

from scipy.stats import t as student

from benchmarks.planner import Silent
from experiments.loading import load_twin
from experiments.runner import run_twin
from experiments.runtimespec import RuntimeSpec
from experiments.scenario import Scenario
from experiments.twin import Twin

EXAMPLE = Path(__file__).parents[1] / "experiments" / "scenarios" / "containers.yaml"
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Seen:
    """What one run found of a phase: coherence with its interval, and the median step (ms)."""

    coherence: float
    interval: tuple[float, float]
    step_ms: float


def difference(namespaces: Sequence[float], containers: Sequence[float]) -> tuple[float, float]:
    """Return how much more containers have than namespaces, by pairs: mean, and half its interval.

    The interval is Student's for the mean of the pairs' differences.
    """
    apart = [there - here for here, there in zip(namespaces, containers, strict=True)]
    reach = student.ppf((1 + CONFIDENCE) / 2, len(apart) - 1) * stdev(apart) / len(apart) ** 0.5
    return fmean(apart), float(reach)


def overlap(a: tuple[float, float], b: tuple[float, float]) -> bool:
    """Ask whether two intervals have something in common."""
    return a[0] <= b[1] and b[0] <= a[1]


def measure(scenario: Scenario, twin: Twin, source: Path) -> tuple[dict[str, Seen], dict[str, Any]]:
    """Run a scenario; return what was seen of the reference and each phase, and the result."""
    with TemporaryDirectory(prefix="spanlab-benchmarks-") as folder:
        out, result = run_twin(scenario, twin, source, Silent(), Path(folder) / "run")
        if result["status"] != "finished":
            sys.exit(f"{result['error']}\n{(out / 'logs').resolve()}")
        events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    result["setup"] = {event["kind"]: event for event in events}
    result["containers"] = [event for event in events if event["kind"] == "container"]
    reference_ms = result["reference"]["step_ms"]["p50"]
    found = {"reference": Seen(1.0, (1.0, 1.0), reference_ms)}
    for phase in result["phases"]:
        low, high = phase["coherence_ci"]
        found[phase["name"]] = Seen(phase["coherence"], (low, high), phase["step_ms"]["p50"])
    return found, result


def main() -> None:
    """Run both by turns and print how they compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runtimes")
    parser.add_argument("file", nargs="?", type=Path, default=EXAMPLE)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    scenario, twin = load_twin(options.file)
    stated = scenario.emulate.runtime
    runtimes = [RuntimeSpec(), stated if stated.name == "docker" else RuntimeSpec(name="docker")]
    seen: dict[str, list[dict[str, Seen]]] = {runtime.name: [] for runtime in runtimes}
    for pair in range(options.pairs):
        for runtime in runtimes if pair % 2 == 0 else reversed(runtimes):
            emulate = scenario.emulate.model_copy(update={"runtime": runtime})
            chosen = scenario.model_copy(update={"emulate": emulate})
            found, result = measure(chosen, twin, options.file)
            seen[runtime.name].append(found)
            phases = "; ".join(
                f"{name} {it.step_ms:.1f} ms, {it.coherence:.4f} "
                f"({it.interval[0]:.4f}-{it.interval[1]:.4f})"
                for name, it in found.items()
            )
            ready_s = result["setup"]["ranks ready"]["t_s"]
            print(
                f"{runtime.name}: {result['fidelity']['verdict']}; ready {ready_s:.1f} s; {phases}"
            )
            for used in result["containers"]:
                print(
                    "   ", {key: used[key] for key in ("host", "memory_peak_bytes", "throttled_s")}
                )
            sys.stdout.flush()
    here, there = seen["namespace"], seen["docker"]
    for name in here[0]:
        ways = [[it[name].coherence for it in runs] for runs in (here, there)]
        steps = [[it[name].step_ms for it in runs] for runs in (here, there)]
        common = sum(
            overlap(a[name].interval, b[name].interval) for a, b in zip(here, there, strict=True)
        )
        apart, reach = difference(*ways)
        apart_ms, reach_ms = difference(*steps)
        print(
            f"{name}: coherence {fmean(ways[0]):.4f} and {fmean(ways[1]):.4f}, apart by "
            f"{apart:+.4f} +- {reach:.4f}; intervals overlap in {common} of {options.pairs} pairs; "
            f"median step {fmean(steps[0]):.1f} and {fmean(steps[1]):.1f} ms, apart by "
            f"{apart_ms:+.1f} +- {reach_ms:.1f} ms"
        )


if __name__ == "__main__":
    main()
