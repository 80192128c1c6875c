"""Finished runs of labs, made up from step times: what `lab check` reads, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments import fidelity
from experiments.coherence import PhasePlan, system_steps
from experiments.labs.lab import Lab
from experiments.manifest import manifest_of
from experiments.ondisk import OnDisk
from experiments.record import Record
from experiments.result import SCHEMA, phase_results
from experiments.session import LegRun, Session, SpanCounters
from experiments.twin import twin_of
from tests.fakes.runs import MACHINE
from tests.fakes.scenarios import scenario_of
from tests.fakes.steps import MS, rank_step
from topologies.emulation.impairer import Counters

Phases = Mapping[str, Sequence[float]]
"""By name, the real ms of each step; the first is the reference."""


def part_of(lab: Lab, name: str) -> dict[str, Any]:
    """Return the scenario of a part, as a student would have it."""
    (part,) = (part for part in lab.parts if part.name == name)
    return part.scenario(lab.files)


def leave(
    folder: Path,
    data: dict[str, Any],
    phases: Phases,
    *,
    each_way_mb: float = 0.0,
    losses: Sequence[float] = (),
    faithful: bool = True,
    status: str = "finished",
    started: str = "2026-01-01T00:00:00+00:00",
) -> Path:
    """Leave the folder of a run whose steps took so long.

    ``each_way_mb`` is what every span carries in a step, ``losses`` what each phase ends with.
    """
    scenario = scenario_of(data)
    twin, record = twin_of(scenario), Record(folder)
    record.origin_ns = 0
    ranks, time = len(twin.graph.workers), float(scenario.emulate.time)
    at_ms, step, moved = 1000.0, 0, 0
    plans: list[PhasePlan] = []
    snapshots: list[SpanCounters] = []
    for number, (name, durations) in enumerate(phases.items()):
        plans.append(PhasePlan(name, int(at_ms * MS), reference=number == 0))
        snapshots.append(_counters(twin.graph.spans, moved))
        for real_ms in durations:
            loss = losses[number] if losses else 1.0
            for rank in range(ranks):
                end_ms = at_ms + real_ms * time
                record.step(rank_step(step, at_ms, end_ms, rank=rank, loss=loss))
            at_ms, step = at_ms + real_ms * time, step + 1
            moved += int(each_way_mb * 1e6 * scenario.emulate.bytes)
    snapshots.append(_counters(twin.graph.spans, moved))
    session = Session(OnDisk(plans), OnDisk([twin.initial] * len(plans)), OnDisk(snapshots))
    session.legs = [LegRun(tuple(range(ranks)), 0, 1000 * MS, snapshots[0], snapshots[-1])]
    references, results = phase_results(
        system_steps(record.steps, ranks),
        record.steps,
        session,
        seed=scenario.seed,
        largest_campus_share=0.5,
        learns=bool(losses),
        strategies=twin.strategies,
    )
    late = fidelity.Check("round trip", "a span", 1.0, 2.0, 0.1, "ms", ok=faithful)
    manifest = manifest_of(scenario, Path("lab.yaml"), folder.name, twin, MACHINE)
    record.write("manifest.json", {**manifest, "started": started})
    record.to_parquet()
    result = {
        "schema": SCHEMA,
        "run": folder.name,
        "status": status,
        "error": None if status == "finished" else "on purpose",
        "fidelity": fidelity.verdict([late]),
        "reference": references[0],
        "references": references,
        "phases": results,
        "legs": [{"ranks": list(range(ranks)), "from_step": 0}],
    }
    record.write("result.json", result)
    record.close()
    return folder


def _counters(spans: Any, moved: int) -> SpanCounters:
    return {name: (Counters(bytes=moved), Counters(bytes=moved)) for name in spans}
