"""A run's page, made anew from what its folder holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import UndefinedError
from pydantic import ValidationError

from experiments.coherence import NamedSteps
from experiments.finished import REFERENCE, FinishedRun
from experiments.report import report_page
from experiments.scenario import Scenario
from experiments.twin import twin_of
from topologies.errors import NetworkError
from topologies.files import FileError, as_json, inside

LONGEST_LINE = 1 << 20
_LATER: Mapping[str, Any] = {"interruptions": [], "goodput": None, "time_to_loss": None}
_LATER_IN_PHASES: Mapping[str, Any] = {"warm_up_steps": 0, "workers": "–"}
"""What results that are older than some part of them do not have."""


def page_of(run: FinishedRun) -> str:
    """Return the page of a run; raises FileError where another version left what is not known."""
    try:
        scenario = Scenario.model_validate(run.scenario)
        twin = twin_of(scenario)
    except (ValidationError, NetworkError) as error:
        told = str(error).replace("\n", " ")
        raise FileError(
            f"{run.folder / 'manifest.json'}: its scenario is of another version of spanlab: {told}"
        ) from None
    result = {**_LATER, **run.result}
    if result["reference"]:
        result["reference"] = {**_LATER_IN_PHASES, **result["reference"]}
    result["phases"] = [{**_LATER_IN_PHASES, **phase} for phase in result["phases"]]
    origin_ns = origin_of(run.folder)
    try:
        return report_page(
            scenario, twin, result, run.manifest, run.steps, phases_of(run), origin_ns
        )
    except (UndefinedError, KeyError) as error:
        raise FileError(
            f"{run.folder}: was left by another version of spanlab ({error}); "
            "run its scenario again"
        ) from None


def phases_of(run: FinishedRun) -> list[NamedSteps]:
    """Return the steps of each phase, those before anything was measured as the reference's."""
    phases: Sequence[Mapping[str, Any]] = run.result["phases"]
    if not phases:
        return [(REFERENCE, run.steps)]
    last = run.result["reference"].get("to_step", phases[0]["from_step"] - 1)
    found: list[NamedSteps] = [(REFERENCE, [step for step in run.steps if step.step <= last])]
    for phase in phases:
        within = range(phase["from_step"], phase["to_step"] + 1)
        found.append((phase["name"], [step for step in run.steps if step.step in within]))
    return found


def origin_of(folder: Path) -> int:
    """Return the zero of a run's clock in ns, by what happened first; raises FileError."""
    file = inside(folder, "events.jsonl", str(folder))
    try:
        with file.open("rb") as lines:
            event = as_json(lines.readline(LONGEST_LINE))
        return int(event["at_ns"] - round(event["t_s"] * 1e9))
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise FileError(f"{file}: cannot be read: {error}") from None
