"""The end of a run: what is known of it becomes the files of its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from experiments import fidelity, similarity
from experiments.coherence import SystemStep, differing_steps, system_steps
from experiments.goodput import goodput, interruptions
from experiments.learning import task_result, time_to_loss
from experiments.legs import counted
from experiments.record import Record
from experiments.report import write_report
from experiments.result import (
    SCHEMA,
    event_results,
    headline,
    largest_campus_share,
    leg_results,
    pause_results,
    phase_results,
)
from experiments.scenario import Scenario
from experiments.session import Session
from experiments.statistics.phases import recoveries
from experiments.trace import trace_of
from experiments.twin import Twin
from topologies.emulation.capabilities import Capabilities
from workloads import strategies, tasks


@dataclass
class Outcome:
    """What is known of a run so far; a run that fails keeps it."""

    status: str = "finished"
    error: str | None = None
    session: Session = field(default_factory=Session)
    checks: list[fidelity.Check] = field(default_factory=list)


def finish(
    scenario: Scenario,
    twin: Twin,
    machine: Capabilities,
    name: str,
    record: Record,
    outcome: Outcome,
) -> dict[str, Any]:
    """Turn what was measured into the files of the run folder, the result last."""
    session = outcome.session
    records = counted(record.steps, session.ranks)
    steps = system_steps(records, session.ranks, session.since_ns)
    differing = _differing(steps, twin)
    references, phases = phase_results(
        steps,
        records,
        session,
        seed=scenario.seed,
        largest_campus_share=largest_campus_share(scenario.network.campuses),
        learns=tasks.best_loss(twin.model.task) is not None,
        strategies=twin.strategies,
    )
    checks = [*outcome.checks, fidelity.check_replicas(differing)]
    checks += fidelity.check_compute(record.steps)
    judged = fidelity.verdict(checks)
    if outcome.error:
        judged["reasons"].insert(0, f"the run {outcome.status}: {outcome.error}")
        judged["verdict"] = "invalid"
    result = {
        "schema": SCHEMA,
        "name": scenario.name,
        "run": name,
        "status": outcome.status,
        "error": outcome.error,
        "fidelity": judged,
        "backend": {
            "impairer": machine.impairer,
            "datapath": machine.datapath,
            "runtime": scenario.emulate.runtime.name,
        },
        "task": task_result(twin.model),
        "reference": references[0] if references else None,
        "references": references,
        "phases": phases,
        "time_to_loss": time_to_loss(steps, scenario.target.loss, scenario.emulate.time),
        "goodput": goodput(steps, session.rests),
        "pauses": pause_results(session.rests, record.origin_ns),
        "interruptions": interruptions(session.legs, steps, record.origin_ns, session.rests),
        "legs": leg_results(session),
        "events": (events := event_results(record.events, steps, session.phases, session.rests)),
        "recovery": recoveries(events),
        "similarity": similarity.summary(scenario, twin),
    }
    result["headline"] = headline(result)
    record.to_parquet()
    if record.pages:
        trace = trace_of(record.steps, record.events, record.samples, twin, session.phases)
        record.write("trace.json", trace)
        write_report(record, scenario, twin, result, steps, session.phases)
    record.complete(result)
    record.close()
    return result


def _differing(steps: Sequence[SystemStep], twin: Twin) -> int:
    """Return before how many steps ranks differed that their strategy keeps alike."""
    return sum(
        differing_steps(
            [step for step in steps if twin.strategy_at(step.step) == it],
            synchronous=strategies.declaration(it.name).synchronous,
        )
        for it in twin.strategies
    )
