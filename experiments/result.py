"""``result.json``: the stable contract for scripts, put together from what a run measured. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from experiments.coherence import (
    PhasePlan,
    SystemStep,
    classify,
    recovery_s,
    steps_of_phases,
    steps_per_s,
)
from experiments.learning import loss_of
from experiments.ranktimes import rank_times
from experiments.service import service
from experiments.session import Session
from experiments.statistics.phases import (
    coherence_interval,
    reference_steps,
    settled_part,
    step_times,
)
from experiments.timeline import DONE
from topologies.spec import CampusSpec

SCHEMA = 1


def phase_results(
    steps: Sequence[SystemStep],
    records: Sequence[dict[str, Any]],
    session: Session,
    *,
    seed: int,
    largest_campus_share: float,
    learns: bool = False,
    period: int = 1,
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Return the ``reference`` and ``phases`` parts; phases without a whole step are left out.

    ``records`` are those of the ranks, from which ``steps`` were put together. Their loss is None
    unless the task ``learns`` something. Ranks meet every ``period`` steps.
    """
    phases, snapshots = session.phases, session.snapshots
    grouped = steps_of_phases(steps, phases)
    reference = reference_steps(grouped[0], period) if grouped else []
    if not reference:
        return None, []
    usual = steps_per_s(reference)
    results = []
    for index in range(1, len(phases)):
        phase_steps = grouped[index]
        if not phase_steps:
            continue
        speed = steps_per_s(phase_steps)
        coherence = speed / usual
        low, high = coherence_interval(phase_steps, reference, period)
        spans = {}
        for span, state in session.states[index].items():
            moved = 0
            if index + 1 < len(snapshots):
                before, after = snapshots[index][span], snapshots[index + 1][span]
                moved = sum(b.bytes - a.bytes for a, b in zip(before, after, strict=True))
            spans[span] = {
                "rate_bps": state.worse.rate_bps,
                "rtt_ns": state.round_trip_ns,
                "loss": state.worse.mean_loss,
                "bytes": moved,
            }
        results.append(
            {
                "name": phases[index].name,
                "from_step": phase_steps[0].step,
                "to_step": phase_steps[-1].step,
                "workers": min(step.ranks for step in phase_steps),
                "steps_per_s": round(speed, 4),
                "step_ms": step_times(phase_steps, seed + index, period),
                "coherence": round(coherence, 4),
                "coherence_ci": [round(low, 4), round(high, 4)],
                **settled_part(phase_steps, reference, period),
                "class": classify(coherence, largest_campus_share),
                "exposed_communication_ms": round(
                    sum(step.exposed_communication_ns for step in phase_steps)
                    / len(phase_steps)
                    / 1e6,
                    2,
                ),
                "loss": loss_of(phase_steps) if learns else None,
                "divergence": _last([step.divergence for step in phase_steps]),
                **_ranks(phase_steps, records),
                **_staleness(phase_steps),
                **service(phase_steps),
                "spans": spans,
            }
        )
    return {
        "workers": min(step.ranks for step in reference),
        "from_step": reference[0].step,
        "to_step": reference[-1].step,
        "warm_up_steps": len(grouped[0]) - len(reference),
        "steps_per_s": round(usual, 4),
        "step_ms": step_times(reference, seed, period),
        "loss": loss_of(reference) if learns else None,
        **_ranks(reference, records),
        **service(reference),
    }, results


def _ranks(steps: Sequence[SystemStep], records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return how far ranks were apart, and where the time of each went."""
    times = rank_times(records, {step.step for step in steps})
    return {
        "skew_ms": round(median(step.skew_ns for step in steps) / 1e6, 2),
        "ranks": [{key: round(it, 2) for key, it in asdict(rank).items()} for rank in times],
    }


def _last(found: Sequence[float | None]) -> float | None:
    """Return the last that is known: how far apart ranks were as they last met."""
    return next((value for value in reversed(found) if value is not None), None)


def _staleness(steps: Sequence[SystemStep]) -> dict[str, float]:
    """Return the mean staleness of gradients, where a server took them as they came."""
    found = [step.staleness for step in steps if step.staleness is not None]
    return {"staleness": round(sum(found) / len(found), 2)} if found else {}


def largest_campus_share(campuses: Mapping[str, CampusSpec]) -> float:
    """Return the most that one campus alone does of what all do together, at one pace.

    Together they keep the pace of the slowest accelerators, alone a campus keeps its own slowest.
    """
    slowest = min(min(campus.speeds) for campus in campuses.values())
    workers = sum(campus.workers for campus in campuses.values())
    alone = max(campus.workers * min(campus.speeds) for campus in campuses.values())
    return alone / (workers * slowest)


def event_results(
    events: Sequence[Mapping[str, Any]],
    steps: Sequence[SystemStep],
    phases: Sequence[PhasePlan],
) -> list[dict[str, Any]]:
    """Return the ``events`` part: every change of a span and how long training took to recover."""
    by_begin = {
        phase.begin_ns: group
        for phase, group in zip(phases, steps_of_phases(steps, phases), strict=True)
    }
    results = []
    for event in events:
        if event["kind"] in DONE:
            recovery = recovery_s(by_begin.get(event["at_ns"], []), event["at_ns"])
            results.append(
                {
                    "t_s": event["t_s"],
                    "step": event["step"],
                    "kind": event["kind"],
                    "target": event["target"],
                    "with": event["upgrade"],
                    "recovery_s": None if recovery is None else round(recovery, 3),
                }
            )
    return results


def headline(result: Mapping[str, Any]) -> str:
    """Say in a sentence what the upgrades did, with the verdict where it is not ``faithful``."""
    phases = result["phases"]
    ended = "was interrupted" if result["status"] == "interrupted" else result["status"]
    if not phases:
        return f"The run {ended} before any phase was measured."
    first, *later = phases
    if later and not all(phase["name"].endswith(" upgraded") for phase in later):
        story = [f"{phase['coherence']:.2f} ({phase['name']})" for phase in phases]
        sentence = "Coherence went from " + " to ".join(story)
    elif later:
        gains = [
            f"{later[0]['name'].removesuffix(' upgraded')} took coherence from "
            f"{first['coherence']:.2f} to {later[0]['coherence']:.2f}"
        ]
        gains += [
            f"with {phase['name'].removesuffix(' upgraded')}, {phase['coherence']:.2f}"
            for phase in later[1:]
        ]
        sentence = "Upgrading " + "; ".join(gains)
    else:
        sentence = f"The spans as they are give coherence {first['coherence']:.2f}"
    sentence += f" ({phases[-1]['class']})."
    verdict = result["fidelity"]["verdict"]
    if verdict != "faithful":
        sentence += f" The emulation was {verdict}: do not rely on these numbers."
    if result["status"] != "finished":
        sentence += f" The run {ended} before its end."
    return sentence
