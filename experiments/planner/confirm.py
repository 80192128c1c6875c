"""Emulates the best upgrade sets of a plan one after the other, to see whether it is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments import scaling
from experiments.changes import Change
from experiments.planner.answer import Choice, Measured, Plan
from experiments.runner import run_twin
from experiments.scenario import Scenario
from experiments.session import Observer
from experiments.similarity import groups_of
from experiments.twin import Twin, twin_of
from topologies.linkstate import Duplex

STEPS = 10
"""Of every phase; one that straddles a change belongs to none."""

States = Mapping[str, Duplex]


def confirm(
    scenario: Scenario,
    plan: Plan,
    chosen: Sequence[Choice],
    source: Path,
    observer: Observer,
    out: Path | None = None,
) -> tuple[Path, dict[str, Any], Plan]:
    """Emulate the spans as they are and under each chosen set; return run folder, result, plan.

    Outages are left out: what is compared is the coherence while no span is down.
    """
    states = [choice.states for choice in (plan.base, *chosen)]
    shorter, twin = twin_through(scenario, states)
    folder, result = run_twin(shorter, twin, source, observer, out)
    measured = {}
    phases = {phase["name"]: phase for phase in result["phases"]}
    for number, choice in enumerate((plan.base, *chosen)):
        phase = phases.get(_phase(number))
        if phase is None:
            continue  # the run ended before it
        low, high = phase["coherence_ci"]
        measured[choice.name] = Measured(
            coherence=phase["coherence"],
            coherence_ci=(low, high),
            predicted=choice.outlook.while_up,
            verdict=result["fidelity"]["verdict"],
        )

    def seen(it: Choice) -> Choice:
        return replace(it, measured=measured.get(it.name))

    best = states[min(1, len(states) - 1)]
    emulated = {span: scaling.emulated(state, scenario) for span, state in best.items()}
    confirmed = replace(
        plan,
        base=seen(plan.base),
        cheapest=plan.cheapest and seen(plan.cheapest),
        choices=tuple(map(seen, plan.choices)),
        pareto=tuple(map(seen, plan.pareto)),
        singles=tuple(map(seen, plan.singles)),
        groups=tuple(groups_of(scenario, twin, best, emulated)),
    )
    return folder, result, confirmed


def twin_through(scenario: Scenario, states: Sequence[States]) -> tuple[Scenario, Twin]:
    """Return a scenario and its twin that come to each of some real states in turn."""
    workload = scenario.workload
    begin = workload.reference_steps
    plain = scenario.model_copy(
        update={
            "timeline": (),
            "network": scenario.network.model_copy(update={"outages": None}),
            "workload": workload.model_copy(update={"steps": begin + STEPS * len(states)}),
        }
    )
    twin = twin_of(plain)
    changes = [
        Change(
            step=begin + STEPS * number,
            kind="upgrade" if number else "age",
            span=span,
            upgrade=_phase(number) if number else None,
            real=state,
            emulated=scaling.emulated(state, scenario),
            first=number == 0,
            phase=_phase(number),
        )
        for number, by_span in enumerate(states)
        for span, state in by_span.items()
    ]
    return plain, replace(twin, changes=tuple(changes))


def _phase(number: int) -> str:
    return f"set {number}" if number else "aged"
