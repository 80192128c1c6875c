"""What finished runs say together: repetitions pooled, phases and scenarios compared. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby, pairwise
from statistics import fmean
from typing import Any

from experiments.finished import REFERENCE, FinishedRun
from experiments.repetitions import Group
from experiments.statistics.comparison import DIFFERENCE, Comparison, Side, compare
from experiments.statistics.estimate import Estimate, Floats, estimate
from experiments.statistics.phases import bounds, durations_ms, rounded, settled_steps
from experiments.statistics.pooling import mean_interval, pooled
from experiments.statistics.wording import verdict
from topologies.errors import NetworkError
from topologies.suggest import unknown

SCHEMA = 1


def comparisons(
    groups: Sequence[Group], against: str | None = None, difference: float = DIFFERENCE
) -> list[Comparison]:
    """Compare the phases of one group with each other, or each phase between groups.

    In one group a phase is compared with the one before it, or with the phase ``against``; of
    several groups, each with the first. Raises NetworkError for a phase that there is not.
    """
    counted = [group for group in groups if group.runs]
    if len(groups) == 1:
        return [it for group in counted for it in _within(group, against, difference)]
    return list(_between(counted, against, difference))


def report(
    groups: Sequence[Group], against: str | None = None, difference: float = DIFFERENCE
) -> dict[str, Any]:
    """Return all that ``spanlab compare`` says, for scripts."""
    return {
        "schema": SCHEMA,
        "groups": [
            {
                "name": group.name,
                "runs": [_run(run, counted=True) for run in group.runs]
                + [_run(run, counted=False) for run in group.aside],
                "phases": [_phase(group, name) for name in _shared(group.runs)],
                "recovery": _recovery(group.runs),
            }
            for group in groups
        ],
        "comparisons": [
            {**asdict(it), "winner": it.winner, "sentence": verdict(it)}
            for it in comparisons(groups, against, difference)
        ],
        "notes": notes(groups),
    }


def notes(groups: Sequence[Group]) -> list[str]:
    """Say what a reader must know before believing the comparisons."""
    found = []
    for group in groups:
        for run in group.aside:
            found.append(
                f"{run.folder} is left out: its emulation was {run.verdict}; "
                "--unfaithful counts it all the same"
            )
        for run in group.runs:
            if run.verdict != "faithful":
                found.append(
                    f"{run.folder} is counted although its emulation was {run.verdict}: "
                    "do not rely on what follows from it"
                )
            if run.result["status"] != "finished":
                found.append(f"{run.folder} {run.result['status']} before its end")
    if len(groups) > 1 and any(len(group.runs) == 1 for group in groups):
        found.append(
            "Of a scenario that was run once, the interval knows nothing of what differs from run "
            "to run: repeat it with other seeds"
        )
    return found


def _within(group: Group, against: str | None, difference: float) -> Iterator[Comparison]:
    names = [name for name in _shared(group.runs) if _long_enough(group, name)]
    if against is not None and against not in names:
        raise NetworkError(f"--against: {unknown('phase', against, names)}")
    later = [name for name in names if all(name not in run.references for run in group.runs)]
    pairs = pairwise(later) if against is None else ((against, it) for it in names)
    for before, after in pairs:
        if before != after:
            sides = _side(group, after, after), _side(group, before, before)
            yield compare(*sides, paired=True, difference=difference)


def _between(
    groups: Sequence[Group], against: str | None, difference: float
) -> Iterator[Comparison]:
    if against is not None:
        raise NetworkError(
            "--against names a phase to compare others of the same scenario with; these runs are "
            "of several scenarios, whose phases of one name are compared"
        )
    for first, *others in [groups] if groups else []:
        for other in others:
            for name in _shared([*first.runs, *other.runs]):
                if _long_enough(first, name) and _long_enough(other, name):
                    sides = [_side(it, name, f"{it.name}, {name}") for it in (other, first)]
                    yield compare(*sides, difference=difference)


def _side(group: Group, phase: str, name: str) -> Side:
    found = [_settled(run, phase) for run in group.runs]
    return Side(name, [it for it, _ in found if it], [steps for _, steps in found])


def settled_ms(run: FinishedRun, phase: str) -> Floats:
    """Return how long each settled step of a phase took, in ms of the real system."""
    steps = run.phases[phase]
    if phase not in run.references:  # which have settled as they are
        steps = settled_steps(steps, run.period_of(phase))
    return durations_ms(steps) / float(run.time)


def _settled(run: FinishedRun, phase: str) -> tuple[Estimate | None, int]:
    """Return the mean of that, and of how many steps."""
    times_ms = settled_ms(run, phase)
    return (estimate(times_ms, run.period_of(phase)) if len(times_ms) else None), len(times_ms)


def _long_enough(group: Group, phase: str) -> bool:
    """Say whether each run has two settled steps of a phase: one says nothing of its error."""
    return all(_settled(run, phase)[0] for run in group.runs)


def _shared(runs: Sequence[FinishedRun]) -> list[str]:
    """Return the phases that all runs have, in order."""
    if not runs:
        return []
    return [name for name in runs[0].phases if all(name in run.phases for run in runs)]


def _phase(group: Group, name: str) -> dict[str, Any]:
    found = [_settled(run, name) for run in group.runs]
    usual = [_settled(run, run.against.get(name, REFERENCE))[0] for run in group.runs]
    times = [it for it, _ in found if it]
    known = len(times) == len(found)
    time = pooled(times) if known else None
    coherence = None
    if known and all(usual):
        coherence = pooled([u - it for u, it in zip(usual, times, strict=True) if u])
    return {
        "name": name,
        "steps": sum(steps for _, steps in found),
        "step_ms": None if time is None else round(time.value, 2),
        "step_ms_ci": bounds(time, 2),
        "coherence": None if coherence is None else round(coherence.value, 4),
        "coherence_ci": bounds(coherence, 4) if name != REFERENCE else None,
    }


def _recovery(runs: Sequence[FinishedRun]) -> list[dict[str, Any]]:
    """Return how long recovery from each event took: over repetitions, else over its times."""
    found: dict[str, list[list[float]]] = {}
    for run in runs:
        own: dict[str, list[float]] = {}
        for _, together in groupby(run.result["events"], key=lambda event: event["t_s"]):
            happened = list(together)
            if (seconds := happened[0]["recovery_s"]) is not None:
                what = " and ".join(_happening(event) for event in happened)
                own.setdefault(what, []).append(seconds / float(run.time))
        for what, times in own.items():
            found.setdefault(what, []).append(times)
    rows = []
    for what, by_run in found.items():
        each = by_run[0] if len(by_run) == 1 else [fmean(times) for times in by_run]
        ends = rounded(mean_interval(each), 3)
        mean = round(fmean(each), 3)
        rows.append({"event": what, "times": len(each), "mean_s": mean, "ci_s": ends})
    return rows


def _happening(event: dict[str, Any]) -> str:
    with_ = f" with {event['with']}" if event["with"] else ""
    return f"{event['kind']} {event['target']}{with_}"


def _run(run: FinishedRun, *, counted: bool) -> dict[str, Any]:
    return {
        "folder": str(run.folder),
        "run": run.result["run"],
        "seed": run.scenario["seed"],
        "status": run.result["status"],
        "verdict": run.verdict,
        "counted": counted,
    }
