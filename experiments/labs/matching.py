"""Which finished run plays which part of a lab: by its scenario, not by its name. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.finished import REFERENCE, FinishedRun
from experiments.labs.lab import Lab, Part
from experiments.labs.measures import settled_count
from experiments.repetitions import leaves
from experiments.scenario import Scenario
from topologies.files import as_model

FREE = ("name", "seed", "emulate", "workload.steps", "workload.reference_steps")
"""What a student may change in any lab: figures are of the real system, whatever its twin."""
LEAST_STEPS = 6
"""Settled steps of each phase, below which a mean is chance."""


@dataclass(frozen=True)
class Match:
    """The run that plays a part, or the one that comes nearest.

    Attributes:
        run: none where there is no run at all.
        fault: why it does not count; empty where it does.
        again: whether running the same file again may mend that.
    """

    run: FinishedRun | None
    fault: str = ""
    again: bool = False


def match(part: Part, lab: Lab, runs: Sequence[FinishedRun], *, unfaithful: bool = False) -> Match:
    """Return the first of the runs that plays a part and can be believed, else the nearest.

    A run that plays a part which leaves no choice plays none that leaves one. ``unfaithful`` lets
    degraded runs count.
    """
    wanted = _wanted(part, lab)
    fixed = [(it, _wanted(it, lab)) for it in lab.parts if part.choice and not it.choice]
    ranked = []
    for order, run in enumerate(runs):
        values = values_of_run(run)
        if any(not differences(its, values, other) for other, its in fixed):
            continue
        differing = differences(wanted, values, part)
        fault, again = _fault(run, unfaithful)
        if not differing and not fault:
            return Match(run)
        told = _told(differing) or fault
        ranked.append((len(differing), order, Match(run, told, again and not differing)))
    if not ranked:
        return Match(None, "there is no such run yet")
    return min(ranked, key=lambda it: it[:2])[2]


def _wanted(part: Part, lab: Lab) -> dict[str, str]:
    file = lab.files / f"{part.of}.yaml"
    return values_of(as_model(part.scenario(lab.files), Scenario, str(file)))


def values_of(scenario: Scenario) -> dict[str, str]:
    """Return every value of a scenario as text, by its path; a strategy's with its defaults."""
    data = scenario.model_dump(mode="json", by_alias=True, exclude_none=True)
    strategy = scenario.workload.strategy
    data["workload"]["strategy"] = {"name": strategy.name, **strategy.options}
    return dict(leaves(data))


def differences(
    wanted: Mapping[str, str], found: Mapping[str, str], part: Part
) -> dict[str, tuple[str | None, str | None]]:
    """Return by path what a part asks for and what was found, where that is not the same."""
    free = (*FREE, part.choice.path) if part.choice else FREE
    paths = [path for path in dict.fromkeys((*wanted, *found)) if not _below(path, free)]
    pairs = {path: (wanted.get(path), found.get(path)) for path in paths}
    differing = {path: pair for path, pair in pairs.items() if pair[0] != pair[1]}
    if (choice := part.choice) and not choice.made(
        [it for it in found if _below(it, [choice.path])]
    ):
        differing[choice.path] = (choice.says, None)
    return differing


def _told(differing: Mapping[str, tuple[str | None, str | None]]) -> str:
    if not differing:
        return ""
    (path, (wanted, found)), *more = differing.items()
    sentence = f"has {path}: {'nothing' if found is None else found}"
    sentence += f" instead of {'nothing' if wanted is None else wanted}"
    return sentence + (f", and {len(more)} more that differ" if more else "")


def _fault(run: FinishedRun, unfaithful: bool) -> tuple[str, bool]:
    """Say why a run's figures cannot be used, and whether running it again may help."""
    if run.result["status"] != "finished":
        return f"{run.result['status']}: {run.result['error']}", True
    if run.verdict != "faithful" and not (unfaithful and run.verdict == "degraded"):
        first, *others = run.result["fidelity"]["reasons"]
        more = f", and {len(others)} more in its report.html" if others else ""
        return f"was {run.verdict}: {first}{more}", True
    for phase in run.phases:
        if phase != REFERENCE and (steps := settled_count(run, phase)) < LEAST_STEPS:
            return f"has {steps} settled steps in phase {phase}; {LEAST_STEPS} are needed", False
    return ("", False) if len(run.phases) > 1 else ("has no phase after the reference", False)


def values_of_run(run: FinishedRun) -> dict[str, str]:
    """Return those of a run's scenario; raises FileError where another version left it."""
    return values_of(as_model(run.scenario, Scenario, str(run.folder / "manifest.json")))


def _below(path: str, free: Sequence[str]) -> bool:
    return any(path == it or path.startswith(f"{it}.") for it in free)
