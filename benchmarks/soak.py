"""A run that goes on while its links change: does anything grow, is every frame accounted for?

``python -m benchmarks.soak [--minutes 15] [--changes 2000] [--upgrades 200] [--out DIR]``, as root.
One lab of three campuses trains all the time; in 15 minutes its spans are changed 2,000 times and
upgraded 200 times. Memory and descriptors of every process of the run are read every few seconds.
Exit code 1 where memory or descriptors grew, a change was not made, or a frame is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from benchmarks.__main__ import machine
from benchmarks.growth import Growth, growth
from experiments.changes import Change
from experiments.course import Course
from experiments.network import running_network
from experiments.outcome import Outcome
from experiments.placement import job_of, write_hosts
from experiments.record import Record
from experiments.runner import train
from experiments.scenario import Scenario
from experiments.training import Training
from experiments.twin import Twin, twin_of
from topologies.emulation import procfs
from topologies.emulation.backends import choose_impairer
from topologies.emulation.capabilities import probe
from topologies.emulation.impairer import Counters
from topologies.emulation.ownership import marked_processes, owned_folder
from topologies.linkstate import Duplex, LinkState, Loss

COMPUTE_MS, STEP_S = 40, 0.1
"""What is declared, and what a step takes with its exchanges, roughly: it decides how many."""
REFERENCE_STEPS = 5
OVER_MIN = 120.0
"""Growth is judged by what it would come to in two hours."""
SHARE, LEAST_BYTES, LEAST_FILES = 0.1, 8e6, 2.0
"""Of a process' size, or at least so much: what it may grow by in that time."""
WARM_UP = 0.3
"""Of the time, and three minutes at the most, that is not judged."""
SETTLE_S = 2.0
"""For frames that are under way when training is over."""
UPGRADES = ("coherent-100g", "coherent-400g", "replace-with-dark-fibre")


@dataclass(frozen=True)
class Plan:
    """What is to happen: a change every so many steps, every n-th of them an upgrade."""

    steps: int
    changes: int
    upgrades: int


def plan(minutes: float, changes: int, upgrades: int) -> Plan:
    """Return what fits a time, at the rate at which it is asked for in 15 minutes."""
    share = minutes / 15
    return Plan(
        steps=REFERENCE_STEPS + round(minutes * 60 / STEP_S),
        changes=max(10, round(changes * share)),
        upgrades=max(1, round(upgrades * share)),
    )


def scenario_of(asked: Plan) -> Scenario:
    """Return three campuses of one worker each."""
    return Scenario.model_validate(
        {
            "name": "soak",
            "network": {
                "campuses": {
                    name: {"workers": 1, "fabric": {"kind": "star", "rate": "1 Gbit/s"}}
                    for name in ("north", "south", "east")
                },
                "spans": {
                    name: {"route": "50 km", "rate": "200 Mbit/s", "delay": "2 ms"}
                    for name in ("north-south", "south-east", "north-east")
                },
            },
            "workload": {
                "gradients": "400 kB",
                "bucket": "200 kB",
                "compute": f"{COMPUTE_MS} ms",
                "steps": asked.steps,
                "reference_steps": REFERENCE_STEPS,
                "timeout": "30 s",
            },
            "emulate": {"bytes": 1, "time": 1},
        }
    )


def twin_with(asked: Plan, seed: int) -> tuple[Scenario, Twin]:
    """Return the scenario and its twin, whose spans change all the time, each drawn from a seed."""
    scenario = scenario_of(asked)
    twin = twin_of(scenario)
    draws, spans = random.Random(seed), sorted(twin.graph.spans)
    many = asked.changes + asked.upgrades
    upgrades = set(draws.sample(range(many), asked.upgrades))
    made = []
    for number in range(many):
        step = REFERENCE_STEPS + number * (asked.steps - REFERENCE_STEPS) // many
        state = Duplex.both(
            LinkState(
                rate_bps=draws.randrange(100, 300) * 10**6,
                delay_ns=draws.randrange(1000, 4000) * 1000,
                loss=Loss(good=draws.choice((0.0, 0.0, 0.0005))),
                mtu=scenario.network.mtu,
            )
        )
        kind = "upgrade" if number in upgrades else "set"
        upgrade = draws.choice(UPGRADES) if kind == "upgrade" else None
        made.append(Change(step, kind, draws.choice(spans), upgrade, state, state))
    return scenario, replace(twin, changes=tuple(made))


class Sampler:
    """Reads what every process of a run has of memory and descriptors, on a thread of its own."""

    def __init__(self, run: str, every_s: float, lines: Path) -> None:
        """Begin; what is read goes to a file, so that this does not grow itself."""
        self._run, self._every_s = run, every_s
        self._lines = lines.open("w+")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def close(self) -> dict[tuple[int, str], list[tuple[float, int, int]]]:
        """Read no more; return times, bytes and descriptors, by process and name."""
        self._over.set()
        self._thread.join()
        self._lines.seek(0)
        seen: dict[tuple[int, str], list[tuple[float, int, int]]] = {}
        for line in map(json.loads, self._lines):
            process = line["pid"], line["name"]
            seen.setdefault(process, []).append((line["at_s"], line["bytes"], line["files"]))
        self._lines.close()
        return seen

    def _work(self) -> None:
        while not self._over.wait(self._every_s):
            for pid in [os.getpid(), *marked_processes(self._run)]:
                try:
                    name = procfs.text(pid, "comm").strip()
                    memory = own_bytes(procfs.text(pid, "smaps_rollup"))
                    files = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208
                except OSError:
                    continue  # it has ended
                if memory:
                    line = {"at_s": time.monotonic(), "pid": pid, "name": name}
                    self._lines.write(json.dumps({**line, "bytes": memory, "files": files}) + "\n")


def own_bytes(rollup: str) -> int:
    """Return what a process has of memory that is no file's.

    What is private to it would grow whenever a page that it was forked with is written to, by it or
    by another fork: pages then become two, and neither process has more.
    """
    words = [line.split() for line in rollup.splitlines()]
    return 1024 * sum(int(it[1]) for it in words if it and it[0] in ("Anonymous:", "Swap:"))


def missing(span: str, way: str, counted: Counters) -> list[str]:
    """Say where a direction of a span has frames that are neither delivered nor accounted for."""
    gone = {
        name: getattr(counted, name)
        for name in (
            "lost",
            "queue_drops",
            "early_drops",
            "down_drops",
            "oversize_drops",
            "errors",
        )
    }
    there = counted.delivered - counted.duplicated + sum(gone.values())
    if there == counted.packets:
        return []
    return [f"{span} {way}: {counted.packets} frames offered, {there} accounted for ({gone})"]


def judged(
    seen: Mapping[tuple[int, str], Sequence[tuple[float, int, int]]],
) -> dict[str, tuple[Growth, Growth]]:
    """Return how memory and descriptors of each process grew that lived nearly all the time."""
    begin = min(it[0][0] for it in seen.values())
    end = max(it[-1][0] for it in seen.values())
    since = begin + min(180.0, WARM_UP * (end - begin))
    found = {}
    for (pid, name), read in seen.items():
        late = [it for it in read if it[0] >= since]
        if len(late) < 8 or late[-1][0] - late[0][0] < 0.8 * (end - since):
            continue
        times = [it[0] for it in late]
        found[f"{name} ({pid})"] = (
            growth(times, [it[1] for it in late]),
            growth(times, [it[2] for it in late]),
        )
    return found


class _Quiet:
    """An observer who counts steps."""

    def begin(self, steps: int) -> None:
        """See `Observer.begin`."""

    def stage(self, text: str) -> None:
        """See `Observer.stage`."""

    def step(self, step: int, phase: str, step_ms: float, coherence: float | None) -> None:
        """See `Observer.step`."""


def soak(asked: Plan, out: Path, seed: int, every_s: float) -> tuple[list[str], list[str]]:
    """Train through all changes; return what was seen, and what of it is wrong."""
    scenario, twin = twin_with(asked, seed)
    capable = choose_impairer(probe(), None, twin.states)
    run = f"soak-{time.monotonic_ns()}"
    with ExitStack() as stack:
        folder = stack.enter_context(owned_folder(run))
        record = Record(out / "run")
        stack.callback(record.close)
        training = Training(record.logs / "launcher.log")
        stack.callback(training.close)
        network = stack.enter_context(
            running_network(twin, capable, scenario, folder=folder, logs=record.logs)
        )
        stack.callback(training.close)
        stack.callback(network.vitals.rest)
        training.wait_imported()
        network.controller.set_probing(False)  # nothing is to be under way in the end
        network.calibrate({span: twin.initial[span] for span in twin.graph.spans})
        outcome = Outcome()
        job = job_of(scenario, twin, network, write_hosts(twin, folder), record.logs)
        sampler = Sampler(run, every_s, out / "growth.jsonl")
        begin_s = time.monotonic()
        try:
            train(job, training, network, Course(scenario, twin), record, _Quiet(), outcome)
        finally:
            lasted_s = time.monotonic() - begin_s
            seen = sampler.close()
        time.sleep(SETTLE_S)
        counters = network.counters()
    wrong = [
        it
        for span, ways in counters.items()
        for way, counted in zip(("forward", "backward"), ways, strict=True)
        for it in missing(span, way, counted)
    ]
    made = [event["kind"] for event in record.events]
    told = f"{made.count('set')} changes and {made.count('upgrade')} upgrades were made"
    if (made.count("set"), made.count("upgrade")) != (asked.changes, asked.upgrades):
        wrong.append(f"{told}, {asked.changes} and {asked.upgrades} were asked for")
    wrong += [it.reason for it in outcome.checks if it.name == "not as it was set" and not it.ok]
    frames = sum(way.packets for ways in counters.values() for way in ways)
    said = [
        f"{told} in {lasted_s / 60:.1f} min, {asked.steps} steps of {len(job.ranks)} ranks; "
        f"{frames} frames were offered to spans, all of them accounted for" * (not wrong)
    ]
    for name, (memory, files) in judged(seen).items():
        said.append(row(name, memory, files))
        if not memory.is_flat(SHARE, LEAST_BYTES, OVER_MIN):
            wrong.append(f"the memory of {name} grows")
        if not files.is_flat(0, LEAST_FILES, OVER_MIN):
            wrong.append(f"the descriptors of {name} grow")
    return said, wrong


def row(name: str, memory: Growth, files: Growth) -> str:
    """Say how a process grew."""
    return (
        f"  {name:<28} {memory.size / 1e6:7.1f} MB {memory.per_min / 1e3:+8.1f} kB/min "
        f"({memory.low / 1e3:+.1f} to {memory.high / 1e3:+.1f}); "
        f"{files.size:5.1f} files {files.per_min:+.2f} /min"
    )


def main() -> int:
    """Soak and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--changes", type=int, default=2000, help="in 15 minutes")
    parser.add_argument("--upgrades", type=int, default=200, help="in 15 minutes")
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--out", type=Path)
    asked: Any = parser.parse_args()
    out = asked.out or Path(mkdtemp(prefix="spanlab-soak-"))
    out.mkdir(parents=True, exist_ok=True)
    every_s = max(0.5, min(5.0, asked.minutes))
    said, wrong = soak(plan(asked.minutes, asked.changes, asked.upgrades), out, asked.seed, every_s)
    print(f"{machine()}; {out}")
    print("\n".join(said))
    print("\n".join(f"WRONG: {it}" for it in wrong) or "flat, and every frame accounted for")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
