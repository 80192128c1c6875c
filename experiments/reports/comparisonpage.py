"""The page that sets finished runs side by side: what ``spanlab compare`` says, in pictures."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from experiments.comparing import report
from experiments.finished import REFERENCE, FinishedRun
from experiments.pages import page
from experiments.repetitions import Group, differing, groups_of
from experiments.reports.comparisonfigures import coherence_figure, times_figure
from experiments.reports.repeating import repeating, shared


def comparison_page(runs: Sequence[FinishedRun], *, unfaithful: bool = False) -> tuple[str, str]:
    """Return the headline and the page of several runs; raises NetworkError for one given twice."""
    groups = groups_of(runs, unfaithful=unfaithful)
    found = report(groups)
    again = [repeating(run.manifest) for run in runs]
    common, apart = shared([it.environment for it in again])
    phases = list(dict.fromkeys(name for it in found["groups"] for name in _names(it)))
    measured = any(name != REFERENCE for name in phases)
    sentence = headline(found)
    text = page(
        "comparison.html.j2",
        headline=sentence,
        found=found,
        differences=differing(groups),
        coherence_figure=coherence_figure(found["groups"]) if measured else "",
        times_figure=times_figure([it for it in groups if it.runs], phases) if measured else "",
        runs=list(zip(runs, again, strict=True)),
        counted=_counted(groups),
        common=common,
        apart=apart,
        command=shlex.join(
            ["./spanlab", "report", *(str(run.folder) for run in runs)]
            + ["--unfaithful"] * unfaithful
        ),
    )
    return sentence, text


def headline(found: dict[str, Any]) -> str:
    """Say what the runs decide: the comparison of the last phase that can be compared."""
    comparisons: Sequence[dict[str, Any]] = found["comparisons"]
    if not comparisons:
        return "These runs cannot be compared: no two phases that count have two settled steps."
    decided = [it for it in comparisons if it["winner"]]
    told: str = (decided or comparisons)[-1]["sentence"]
    return f"{told}."


def _names(group: dict[str, Any]) -> list[str]:
    return [it["name"] for it in group["phases"]]


def _counted(groups: Sequence[Group]) -> set[str]:
    """Return the runs that count, by name."""
    return {str(run.result["run"]) for group in groups for run in group.runs}
