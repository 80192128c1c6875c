"""How large a network this machine emulates faithfully: campuses, hosts, spans, ranks, traffic.

``python -m benchmarks.scale [NAME ...] [--tries 2] [--out FILE]``, as root, on a quiet machine. Of
each thing as many as can be: twice as many in each run until a verdict is no longer faithful, then
by halves what lies between, until an eighth is left. All else stays small, so that each limit is
the thing's own. That others took processors meanwhile does not count against a run: it makes limits
lower, never higher.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.__main__ import machine
from controller.errors import ControllerError
from experiments.bounds import MEASURED, bounds_of
from experiments.carrying import REFERENCE, kept
from experiments.errors import RunFailed
from experiments.network import running_network
from experiments.runner import measure_before
from experiments.scenario import Scenario
from experiments.twin import twin_of
from topologies.emulation.backends import choose_impairer
from topologies.emulation.capabilities import probe
from topologies.emulation.errors import EmulationError
from topologies.emulation.ownership import owned_folder

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 150.0
SMALL = "10 Mbit/s"
STEPS, REFERENCE_STEPS = 10, 4
TAKEN = {
    "processors taken by others",
    "processors taken by others in a second",
    "processors stolen by the host",
}
"""Checks that say nothing of the run itself."""
COMPUTE = "1 s"
"""Of a step: every rank takes some 10 ms of a processor for each, whatever it trains."""


def scenario_of(
    campuses: dict[str, int], spans: dict[str, Any], gradients: str = "100 kB", rate: str = SMALL
) -> dict[str, Any]:
    """Return a scenario of star campuses with so many workers each, as plain data."""
    star = {"kind": "star", "rate": rate}
    return {
        "name": "scale",
        "network": {
            "campuses": {name: {"workers": it, "fabric": star} for name, it in campuses.items()},
            "spans": spans,
        },
        "workload": {
            "gradients": gradients,
            "compute": COMPUTE,
            "steps": STEPS,
            "reference_steps": REFERENCE_STEPS,
        },
        "emulate": {"bytes": 1, "time": 1},
    }


def campuses(count: int) -> dict[str, Any]:
    """Return a ring of campuses with a worker each."""
    names = [f"c{it + 1}" for it in range(count)]
    spans = {
        f"s{it + 1}": _span(name, names[(it + 1) % count])
        for it, name in enumerate(names if count > 2 else names[:1])
    }
    return scenario_of(dict.fromkeys(names, 1), spans)


def spans(count: int) -> dict[str, Any]:
    """Return two campuses with a worker each and as many spans between them."""
    return scenario_of(
        {"west": 1, "east": 1}, {f"s{it + 1}": _span("west", "east") for it in range(count)}
    )


def workers(count: int) -> dict[str, Any]:
    """Return two campuses, a span, and as many workers in all."""
    both = {"west": count // 2, "east": count - count // 2}
    return scenario_of(both, {"s1": _span("west", "east")})


def traffic(percent: int) -> dict[str, Any]:
    """Return two campuses of two workers that send that much of what the switches carry alone."""
    carrying = kept() or REFERENCE
    # A ring of four: two of them send to the other campus, past two switches, and two past one.
    bps = round(carrying.switched_bps(9000) * percent / 100 / 6)
    megabytes = bps // 8 // 10**6  # that a step of a second sends
    return scenario_of(
        {"west": 2, "east": 2},
        {"s1": _span("west", "east", f"{bps} bit/s")},
        f"{max(1, megabytes // 2)} MB",
        f"{bps} bit/s",
    )


def _span(a: str, b: str, rate: str = SMALL) -> dict[str, Any]:
    return {"between": [a, b], "rate": rate, "delay": "5 ms"}


@dataclass(frozen=True)
class Judged:
    """Whether a run was faithful, what others took set aside, and what spoke against it."""

    faithful: bool
    reasons: list[str]


def trained(data: dict[str, Any]) -> Judged:
    """Train through a scenario by the command line; return what the run says of itself."""
    with TemporaryDirectory(prefix="spanlab-scale-") as folder:
        file = Path(folder) / "scale.yaml"
        file.write_text(json.dumps(data))  # which is YAML
        command = [sys.executable, "-m", "experiments", "run", str(file), "--json"]
        try:
            done = subprocess.run(
                [*command, "--out", f"{folder}/out"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Judged(False, [f"not over within {TIMEOUT_S:g} s"])
        if done.returncode:
            said = json.loads(done.stdout).get("error") if done.stdout else done.stderr
            return Judged(False, [str(said).strip()[-300:]])
        fidelity = json.loads(done.stdout)["fidelity"]
    failed = {check["name"] for check in fidelity["checks"] if not check["ok"]}
    return Judged(failed <= TAKEN, fidelity["reasons"])


def built(data: dict[str, Any]) -> Judged:
    """Build a scenario's network, and measure its spans as before training."""
    scenario = Scenario.model_validate(data)
    twin = twin_of(scenario)
    machine = choose_impairer(probe(), None, twin.states)
    try:
        with (
            TemporaryDirectory(prefix="spanlab-scale-") as logs,
            owned_folder(f"scale-{time.monotonic_ns()}") as folder,
            running_network(twin, machine, scenario, folder=folder, logs=Path(logs)) as network,
        ):
            checks = measure_before(network, twin, rates=True)
            drops = network.lab.unmodelled_drops()
    except (EmulationError, ControllerError, RunFailed) as error:
        return Judged(False, [str(error)[-300:]])
    reasons = [check.reason for check in checks if not check.ok]
    reasons += [f"{count} frames dropped at {place}" for place, count in drops.items()]
    return Judged(not reasons, reasons)


@dataclass(frozen=True)
class Study:
    """What is made more and more of, how that is judged, and with how many it begins and ends."""

    make: Callable[[int], dict[str, Any]]
    judge: Callable[[dict[str, Any]], Judged]
    first: int
    last: int
    how: str


STUDIES = {
    "campuses": Study(campuses, trained, 4, 32, "a worker each, in a ring"),
    "hosts": Study(workers, built, 64, 256, "of two campuses, without training"),
    "spans": Study(spans, trained, 4, 64, "between two campuses"),
    "ranks": Study(workers, trained, 8, 128, f"at two campuses, steps of {COMPUTE}"),
    "traffic": Study(traffic, trained, 25, 200, "percent of what the switches carry alone"),
}


@dataclass
class Search:
    """The most that was faithful and the least that was not, and why not."""

    study: Study
    faithful: int = 0
    beyond: int | None = None
    because: list[str] = field(default_factory=list)

    @property
    def next(self) -> int | None:
        """What to try next: twice as many, or between the two; None once little lies there."""
        if self.beyond is None:
            tried = self.faithful == self.study.last
            return None if tried else min(2 * self.faithful or self.study.first, self.study.last)
        near = self.beyond - self.faithful <= max(1, self.faithful // 8)
        return None if near else (self.faithful + self.beyond) // 2

    def look(self, tries: int) -> None:
        """Try what is next."""
        count = self.next
        assert count is not None, "there is something left to try"
        for _ in range(tries):
            begin = time.monotonic()
            judged = self.study.judge(self.study.make(count))
            took_s = time.monotonic() - begin
            print(f"  {count}: {judged}, {took_s:.0f} s", file=sys.stderr, flush=True)
            if judged.faithful:
                self.faithful = count
                return
        self.beyond, self.because = count, judged.reasons

    def to_json(self) -> dict[str, Any]:
        """Return what is kept of it."""
        found = {"faithful": self.faithful, "beyond": self.beyond, "how": self.study.how}
        return {**found, "because": self.because[:3]}


def main() -> None:
    """Find the limits that are asked for, and write them beside those that were known."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(STUDIES)}; by default all")
    parser.add_argument("--tries", type=int, default=2, help="runs before a verdict is believed")
    parser.add_argument("--seconds", type=float, default=3600, help="after which no run begins")
    parser.add_argument("--resume", action="store_true", help="go on from what is in the file")
    parser.add_argument("--out", type=Path, default=MEASURED)
    parser.add_argument("--machine", default=machine(), help="what this machine is called")
    options = parser.parse_args()
    deadline = time.monotonic() + options.seconds
    known = json.loads(options.out.read_text()) if options.out.exists() else {}
    counts: dict[str, Any] = known.get("counts", {})
    for name in options.names or STUDIES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        search = Search(STUDIES[name])
        if options.resume and (before := counts.get(name)):
            search.faithful, search.beyond = before["faithful"], before["beyond"]
            search.because = before.get("because", [])
        while search.next is not None and time.monotonic() < deadline:
            search.look(options.tries)
            counts[name] = search.to_json()
            found = {"machine": options.machine, "cores": len(os.sched_getaffinity(0))}
            found["counts"] = {it: counts[it] for it in STUDIES if it in counts}
            options.out.write_text(json.dumps(found, indent=1) + "\n")
    for bound in bounds_of(counts):
        print(bound.row)


if __name__ == "__main__":
    main()
