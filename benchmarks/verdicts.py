"""Does the verdict tell good runs from bad ones? Clean demos, and runs with a fault in each.

``python -m benchmarks.verdicts [--demos N] [--runs N] [--out DIR]``, as root. A clean demo that is
not faithful is a false alarm, unless the verdict says that others had the machine's processors:
such a run is set apart, since it was not clean. A fault that its own check passes is a miss.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import yaml

from benchmarks.__main__ import machine
from benchmarks.faults import CAUGHT_BY, FAULTS
from experiments.watchchecks import NOT_ALONE

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "experiments" / "scenarios" / "three-campuses.yaml"
FAULTY = Path(__file__).with_name("verdicts.yaml")
FAULTY_STEPS = 36
LATEST_S = 2.0
"""How long after the spans have aged a fault is planted, at the most."""
TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Found:
    """What a run's verdict was, and which checks failed, by name with what they said."""

    verdict: str
    failed: dict[str, list[str]]
    reasons: list[str]


def judged(scenario: Path, folder: Path, fault: str | None, draw: random.Random) -> Found:
    """Make one run, with a fault or none, and return what it says of itself."""
    planted = FAULTS.get(fault or "")
    program = "experiments" if planted or not fault else "benchmarks.faults"
    command = [sys.executable, "-m", program, "run", str(scenario), "--strict", "--json"]
    process = subprocess.Popen(
        [*command, "--out", str(folder)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if planted:
        _await_phase(folder, "aged", process)
        time.sleep(draw.uniform(0, LATEST_S))
        planted(json.loads((folder / "manifest.json").read_text())["run"], process.pid)
    _, said = process.communicate(timeout=TIMEOUT_S)
    if process.returncode not in (0, 4):
        raise SystemExit(f"{folder}: the run failed:\n{said}")
    fidelity = json.loads((folder / "result.json").read_text())["fidelity"]
    assert (process.returncode == 4) == (fidelity["verdict"] != "faithful"), "--strict says so"
    failed: dict[str, list[str]] = {}
    for check in fidelity["checks"]:
        if not check["ok"]:
            failed.setdefault(check["name"], []).append(check["subject"])
    return Found(fidelity["verdict"], failed, fidelity["reasons"])


def _await_phase(folder: Path, phase: str, process: subprocess.Popen[str]) -> None:
    """Wait until the machine was looked at in a phase."""
    while process.poll() is None:
        if any(look["phase"] == phase for look in _looks(folder / "machine.jsonl")):
            return
        time.sleep(0.05)


def _looks(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        text = path.read_text()
        yield from map(json.loads, text[: text.rfind("\n") + 1].splitlines())


def faulty(folder: Path) -> Path:
    """Write the scenario that faults are planted in: one long phase after the reference."""
    scenario = yaml.safe_load(FAULTY.read_text())
    scenario["timeline"] = []
    scenario["workload"]["steps"] = FAULTY_STEPS
    path = folder / "faulty.yaml"
    path.write_text(yaml.safe_dump(scenario, sort_keys=False))
    return path


def told(fault: str | None, found: list[Found]) -> str:
    """Return a row: how many runs were judged rightly, how many wrongly, how many set apart."""
    if fault is None:
        faithful = sum(it.verdict == "faithful" for it in found)
        others = sum(bool(NOT_ALONE & it.failed.keys()) for it in found)
        wrong = len(found) - faithful - others
        return f"| clean demo | {len(found)} | {faithful} | {wrong} | {others} |"
    caught = sum(CAUGHT_BY[fault] in it.failed for it in found)
    return f"| {fault} | {len(found)} | {caught} | {len(found) - caught} | |"


def main() -> None:
    """Make the runs, fault by fault, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdicts")
    parser.add_argument("--demos", type=int, default=20, help="clean runs of the demo")
    parser.add_argument("--runs", type=int, default=5, help="runs with each fault")
    parser.add_argument("--out", type=Path, help="folder of the runs; by default one below /tmp")
    options = parser.parse_args()
    out = options.out or Path(mkdtemp(prefix="spanlab-verdicts-"))
    out.mkdir(parents=True, exist_ok=True)
    draw, scenario = random.Random(7), faulty(out)
    cases: list[tuple[str | None, int]] = [(None, options.demos)]
    cases += [(fault, options.runs) for fault in CAUGHT_BY]
    print(f"On {machine()}; runs in {out}.\n")
    print("| runs | number | judged rightly | wrongly | on a machine that others used |")
    print("| --- | --- | --- | --- | --- |")
    remarks = []
    for fault, runs in cases:
        found = []
        for number in range(runs):
            folder = out / f"{(fault or 'demo').replace(' ', '-')}-{number}"
            found.append(judged(scenario if fault else DEMO, folder, fault, draw))
            if not fault:
                remarks += [f"- {folder.name}: {reason}" for reason in found[-1].reasons]
        if found:
            print(told(fault, found), flush=True)
    print("\n" + "\n".join(remarks) if remarks else "")


if __name__ == "__main__":
    main()
