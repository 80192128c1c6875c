"""``report.html``: one self-contained page that says what the run found and how far to trust it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.coherence import PhasePlan, SystemStep
from experiments.figures import map_svg, step_figure, times_figure
from experiments.learning import loss_sentence
from experiments.lossfigure import loss_figure
from experiments.manifest import quantities
from experiments.pages import page
from experiments.record import Record
from experiments.scenario import Scenario
from experiments.similarity import summary, verdict
from experiments.twin import Twin


def write_report(
    record: Record,
    scenario: Scenario,
    twin: Twin,
    result: Mapping[str, Any],
    steps: Sequence[SystemStep],
    phases: Sequence[PhasePlan],
) -> None:
    """Write the report of a run into its folder."""
    checks, similar = result["fidelity"]["checks"], summary(scenario, twin)
    best = result["task"]["best_loss"]
    target = scenario.target.loss
    losses = best is not None and steps
    text = page(
        "report.html.j2",
        result=result,
        scenario=scenario,
        map=map_svg(scenario, twin.changes),
        step_figure=step_figure(steps, phases, result["events"], record.origin_ns) if steps else "",
        times_figure=times_figure(result) if result["reference"] else "",
        loss_figure=loss_figure(steps, phases, record.origin_ns, best, target) if losses else "",
        loss_sentence=loss_sentence(result),
        quantities=quantities(scenario, twin),
        similarity=similar,
        similar=verdict(similar["groups"]),
        checks=checks,
        check_counts=Counter(check["name"] for check in checks),
        hosts=[host.name for host in twin.graph.workers],
        manifest=json.loads((record.folder / "manifest.json").read_text()),
    )
    record.write("report.html", text)
