"""The page of a sweep: where it is coherent, what decides that, and what became of each point."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.figuredata import csv_rows
from experiments.pages import page
from experiments.reports import findings
from experiments.reports.contourfigure import contour_figure
from experiments.reports.facets import Layout, facet_name, layout_of
from experiments.reports.linefigures import line_figure, names_figure, pareto_figure
from experiments.reports.planefigures import heat_figure, points_figure
from experiments.reports.prices import prices_of
from experiments.reports.repeating import as_yaml, environment_of, shared
from experiments.reports.swept import SweepFolder, read_sweep
from experiments.sweep.columns import rows_of
from experiments.sweep.ended import Ended
from experiments.sweep.points import Point
from experiments.sweep.store import ASKED, RUNS
from topologies.files import read_json

MOST_FACETS = 12
"""Pictures of a phase that are shown at once."""
MOST_DRAWN = 60
"""Facets of a phase that are drawn at all."""
MOST_ROWS = 250
"""Points that the page lists; the table in the folder has all of them."""
MOST_SAVED = 5000
MOST_MANIFESTS = 200
"""Runs whose environment is looked at."""


@dataclass(frozen=True)
class PhaseFigures:
    """The pictures of a phase.

    Attributes:
        folded: those that do not fit beside the first ones.
        left_out: how many facets are in the table alone.
        boundaries: up to where it is coherent, in words.
    """

    name: str
    figures: Sequence[str]
    folded: Sequence[str]
    left_out: int
    contour: str
    boundaries: Sequence[str]


def sweep_page(folder: Path) -> tuple[str, str]:
    """Return the headline and the page of a sweep's folder; raises FileError for none."""
    sweep = read_sweep(folder)
    layout = layout_of(sweep)
    phases = list(sweep.phases)
    last = sweep.found(phases[-1] if phases else "")
    sentence = findings.headline(last, sweep.fields)
    names = {it.point: facet_name(sweep.fields, it.values) for it in last}
    figures = [_phase(sweep, layout, name, first=name == phases[-1]) for name in phases[::-1]]
    environments = _environments(sweep)
    common, apart = shared(environments)
    text = page(
        "sweep.html.j2",
        sweep=sweep,
        layout=layout,
        headline=sentence,
        phase=phases[-1] if phases else None,
        tally=findings.tally(last, len(set(sweep.first_alike.values()))),
        effects=findings.effects([it for it in last if it.counts], sweep.fields),
        phases=figures,
        paretos=[
            pareto_figure(price.title, price.of, names, last)
            for price in (prices_of(sweep) if figures else [])
        ],
        found=last[:MOST_ROWS],
        total=len(last),
        table=_table(sweep),
        seconds=_seconds(sweep.ended.values()),
        failed=[(point, _about(point, sweep), run) for point, run in sweep.failed],
        doubted=[run for run in sweep.ended.values() if _doubted(run)],
        counted=bool([it for it in last if it.counts]),
        common=common,
        apart=apart,
        command=shlex.join(["./spanlab", "sweep", str(folder / ASKED)]),
        again=shlex.join(["./spanlab", "report", str(folder)]),
        asked=as_yaml(sweep.spec.model_dump(mode="json", by_alias=True, exclude_none=True)),
    )
    return sentence, text


def _phase(sweep: SweepFolder, layout: Layout, phase: str, *, first: bool) -> PhaseFigures:
    """Draw a phase; the ``first`` figure of all brings the script."""
    every = layout.facets(sweep.found(phase))
    facets, more = every[:MOST_DRAWN], len(every[MOST_DRAWN:])
    said = findings.boundaries(layout, facets)
    if not layout.axes:
        return PhaseFigures(phase, [names_figure(facets, first=first)], [], more, "", said)
    if len(layout.axes) == 1:
        lines = line_figure(layout.axes[0], facets, first=first)
        return PhaseFigures(phase, [lines], [], more, "", said)
    axes = layout.axes[0], layout.axes[1]
    draw = points_figure if layout.scattered else heat_figure
    shown = [draw(axes, facet, first=first and not at) for at, facet in enumerate(facets)]
    contour = contour_figure(axes, facets[:MOST_FACETS], scattered=layout.scattered)
    return PhaseFigures(phase, shown[:MOST_FACETS], shown[MOST_FACETS:], more, contour, said)


def _about(point: Point, sweep: SweepFolder) -> str:
    return facet_name(sweep.fields, point.values)


def _doubted(run: Ended) -> bool:
    return run.status == "finished" and run.verdict != "faithful"


def _seconds(ended: Any) -> float | None:
    known = [run.seconds for run in ended if run.seconds is not None]
    return sum(known) if known else None


def _table(sweep: SweepFolder) -> str | None:
    """Return the sweep's table as CSV, unless it is too long for a page."""
    if len(sweep.ended) > MOST_SAVED:
        return None
    rows = list(rows_of(sweep.spec.name, sweep.points, sweep.ended))
    columns = dict.fromkeys(name for row in rows for name in row)
    return csv_rows([{name: row.get(name) for name in columns} for row in rows])


def _environments(sweep: SweepFolder) -> list[tuple[str, ...]]:
    """Return the environment of each run whose manifest can be read, without its seed."""
    found = []
    for _, run in sorted(sweep.ended.items())[:MOST_MANIFESTS]:
        try:
            manifest = read_json(sweep.folder / RUNS / run.folder / "manifest.json")
            found.append(environment_of(manifest)[1:])
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return found
