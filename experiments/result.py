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
    in_digits,
    recovery_s,
    steps_of_phases,
    steps_per_s,
)
from experiments.learning import loss_of
from experiments.ranktimes import rank_times
from experiments.rests import Rest
from experiments.service import service
from experiments.session import Session
from experiments.statistics.phases import (
    coherence_interval,
    period_of,
    reference_steps,
    settled_part,
    step_times,
)
from experiments.timeline import DONE
from experiments.twin import Strategy
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
    strategies: Sequence[Strategy] = (),
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the ``references`` and ``phases`` parts; phases without a whole step are left out.

    ``records`` are those of the ranks, from which ``steps`` were put together. Their loss is None
    unless the task ``learns`` something. ``strategies`` are those that were trained by, in turn;
    each but the first has a reference of its own, with which the phases after it are compared.
    """
    references: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    usual: Sequence[SystemStep] = []
    for index, phase_steps in enumerate(steps_of_phases(steps, session.phases)):
        phase = session.phases[index]
        strategy = _strategy_of(phase_steps, strategies)
        period = period_of(strategy.options) if strategy else 1
        told = {"strategy": strategy.name} if strategy else {}
        if index == 0 or phase.reference:
            usual = reference_steps(phase_steps, period)
            if usual:
                warm_up = len(phase_steps) - len(usual)
                times = sum(it["name"].startswith(phase.name) for it in references) + 1
                name = phase.name if times == 1 else f"{phase.name} ({times})"
                references.append(
                    {"name": name, **told, "period": period}
                    | _reference(usual, warm_up, records, seed + index, learns, period)
                )
        elif phase_steps and usual:
            own = _phase(phase_steps, usual, records, seed + index, learns, period)
            own["class"] = classify(own["coherence"], largest_campus_share)
            own |= {**told, "against": references[-1]["name"]}
            results.append({"name": phase.name, **own, "spans": _spans(session, index)})
    return (references, results) if references else ([], [])


def _strategy_of(steps: Sequence[SystemStep], strategies: Sequence[Strategy]) -> Strategy | None:
    begun = [it for it in strategies if steps and it.step <= steps[0].step]
    return begun[-1] if begun else None


def _reference(
    steps: Sequence[SystemStep],
    warm_up_steps: int,
    records: Sequence[dict[str, Any]],
    seed: int,
    learns: bool,
    period: int,
) -> dict[str, Any]:
    return {
        "workers": min(step.ranks for step in steps),
        "from_step": steps[0].step,
        "to_step": steps[-1].step,
        "warm_up_steps": warm_up_steps,
        "steps_per_s": round(steps_per_s(steps), 4),
        "step_ms": step_times(steps, seed, period),
        "loss": loss_of(steps) if learns else None,
        **_ranks(steps, records),
        **service(steps),
    }


def _phase(
    steps: Sequence[SystemStep],
    reference: Sequence[SystemStep],
    records: Sequence[dict[str, Any]],
    seed: int,
    learns: bool,
    period: int,
) -> dict[str, Any]:
    speed = steps_per_s(steps)
    low, high = coherence_interval(steps, reference, period)
    exposed_ns = sum(step.exposed_communication_ns for step in steps)
    return {
        "from_step": steps[0].step,
        "to_step": steps[-1].step,
        "workers": min(step.ranks for step in steps),
        "steps_per_s": round(speed, 4),
        "step_ms": step_times(steps, seed, period),
        "coherence": round(speed / steps_per_s(reference), 4),
        "coherence_ci": [round(low, 4), round(high, 4)],
        **settled_part(steps, reference, period),
        "exposed_communication_ms": round(exposed_ns / len(steps) / 1e6, 2),
        "loss": loss_of(steps) if learns else None,
        "divergence": _last([step.divergence for step in steps]),
        **_ranks(steps, records),
        **_staleness(steps),
        **service(steps),
    }


def _spans(session: Session, index: int) -> dict[str, dict[str, Any]]:
    """Return the state of every span in a phase, and the bytes that it carried."""
    snapshots, spans = session.snapshots, {}
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
    return spans


def leg_results(session: Session) -> list[dict[str, Any]]:
    """Return the ``legs`` part: who trained by what, from which step on."""
    return [
        {
            "ranks": leg.members,
            "from_step": leg.first_step,
            "strategy": {"name": leg.strategy, **leg.options},
            "begin_ns": leg.begin_ns,
        }
        for leg in session.legs
    ]


def pause_results(rests: Sequence[Rest], origin_ns: int) -> list[dict[str, Any]]:
    """Return the ``pauses`` part; ``origin_ns`` is the zero of the run's clock."""
    return [
        {
            "t_s": round((it.begin_ns - origin_ns) / 1e9, 6),
            "step": it.step,
            "lasted_s": round((it.end_ns - it.begin_ns) / 1e9, 6),
            "end_ns": it.end_ns,
        }
        for it in rests
    ]


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
    rests: Sequence[Rest] = (),
) -> list[dict[str, Any]]:
    """Return the ``events`` part: every change, and how long training took to recover."""
    by_begin = {
        phase.begin_ns: group
        for phase, group in zip(phases, steps_of_phases(steps, phases), strict=True)
    }
    results = []
    for event in events:
        if event["kind"] in DONE:
            recovery = recovery_s(by_begin.get(event["at_ns"], []), event["at_ns"], rests)
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
        story = [f"{in_digits(phase['coherence'])} ({phase['name']})" for phase in phases]
        sentence = "Coherence went from " + " to ".join(story)
    elif later:
        gains = [
            f"{later[0]['name'].removesuffix(' upgraded')} took coherence from "
            f"{in_digits(first['coherence'])} to {in_digits(later[0]['coherence'])}"
        ]
        gains += [
            f"with {phase['name'].removesuffix(' upgraded')}, {in_digits(phase['coherence'])}"
            for phase in later[1:]
        ]
        sentence = "Upgrading " + "; ".join(gains)
    else:
        sentence = f"The spans as they are give coherence {in_digits(first['coherence'])}"
    sentence += f" ({phases[-1]['class']})."
    verdict = result["fidelity"]["verdict"]
    if verdict != "faithful":
        sentence += f" The emulation was {verdict}: do not rely on these numbers."
    if result["status"] != "finished":
        sentence += f" The run {ended} before its end."
    return sentence
