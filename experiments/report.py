"""``report.html``: one self-contained page that says what the run found and how far to trust it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.coherence import NamedSteps, PhasePlan, SystemStep, steps_of_phases
from experiments.figures import step_figure, times_figure
from experiments.learning import loss_sentence
from experiments.lossfigure import loss_figure
from experiments.manifest import quantities
from experiments.mapfigure import map_svg, spans_csv
from experiments.pages import download, page
from experiments.record import Record
from experiments.reports.repeating import repeating
from experiments.scenario import Scenario
from experiments.similarity import verdict
from experiments.twin import Twin


def write_report(
    record: Record,
    scenario: Scenario,
    twin: Twin,
    result: Mapping[str, Any],
    steps: Sequence[SystemStep],
    phases: Sequence[PhasePlan],
) -> None:
    """Write the report of a run into its folder, whose manifest is there."""
    manifest = json.loads((record.folder / "manifest.json").read_text())
    names = [phase.name for phase in phases]
    named = list(zip(names, steps_of_phases(steps, phases), strict=True))
    text = report_page(scenario, twin, result, manifest, steps, named, record.origin_ns)
    record.write("report.html", text)


def report_page(
    scenario: Scenario,
    twin: Twin,
    result: Mapping[str, Any],
    manifest: Mapping[str, Any],
    steps: Sequence[SystemStep],
    phases: Sequence[NamedSteps],
    origin_ns: int,
) -> str:
    """Return the page of a run; ``origin_ns`` is the zero of its clock."""
    checks = result["fidelity"]["checks"]
    similar = result.get("similarity", manifest["similarity"])  # a steered run adds to it
    best = result["task"]["best_loss"]
    target = scenario.target.loss
    losses = best is not None and steps
    return page(
        "report.html.j2",
        result=result,
        scenario=scenario,
        map=map_svg(scenario, twin.changes),
        map_data=download("campuses and spans", spans_csv(scenario, twin.changes)),
        step_figure=step_figure(phases, result["events"], origin_ns) if steps else "",
        times_figure=times_figure(result) if result["reference"] else "",
        loss_figure=loss_figure(steps, phases, origin_ns, best, target) if losses else "",
        loss_sentence=loss_sentence(result),
        quantities=quantities(scenario, twin),
        similarity=similar,
        similar=verdict(similar["groups"]),
        checks=checks,
        check_counts=Counter(check["name"] for check in checks),
        hosts=[host.name for host in twin.graph.workers],
        manifest=manifest,
        repeating=repeating(manifest),
    )
