"""Pictures of scenarios side by side: coherence of each phase, and how long steps took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.coherence import COHERENT, DEGRADED
from experiments.comparing import settled_ms
from experiments.pages import COLOURS, INK, QUIET, SYMBOLS, figure_html
from experiments.repetitions import Group

LOGARITHMIC = 20.0
"""From this ratio of the longest to the shortest on, an axis of times is logarithmic."""
SPREAD = 0.5
"""Of the room of a phase that its scenarios share."""


def coherence_figure(groups: Sequence[Mapping[str, Any]]) -> str:
    """Return an HTML fragment: coherence of every phase by scenario, with 95 % intervals.

    ``groups`` are those of `comparing.report`.
    """
    import plotly.graph_objects as go

    names = list(dict.fromkeys(it["name"] for group in groups for it in group["phases"]))
    names = [name for name in names if name != "reference"]
    figure = go.Figure()
    for index, group in enumerate(groups):
        found = [it for it in group["phases"] if it["name"] in names and it["coherence"]]
        ends = [it["coherence_ci"] or [it["coherence"]] * 2 for it in found]
        values = [it["coherence"] for it in found]
        shift = _shift(index, len(groups))
        figure.add_trace(
            go.Scatter(
                x=values,
                y=[names.index(it["name"]) + shift for it in found],
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [high - it for it, (_, high) in zip(values, ends, strict=True)],
                    "arrayminus": [it - low for it, (low, _) in zip(values, ends, strict=True)],
                    "thickness": 2,
                },
                customdata=[it["name"] for it in found],
                meta=["phase"],
                name=group["name"],
                mode="markers",
                marker={
                    "color": COLOURS[index % len(COLOURS)],
                    "symbol": SYMBOLS[index % len(SYMBOLS)],
                    "size": 11,
                },
                hovertemplate="%{customdata}: %{x:.3f}<extra>%{fullData.name}</extra>",
            )
        )
    for at, text in ((COHERENT, "coherent"), (DEGRADED, "degraded")):
        figure.add_vline(
            x=at,
            line={"color": INK if at == COHERENT else QUIET, "width": 1, "dash": "dash"},
            annotation={"text": text, "yanchor": "bottom", "y": 1, "yref": "paper"},
            annotation_position="top left",
        )
    return figure_html(
        figure,
        150 + len(names) * (30 + 18 * len(groups)),
        name="coherence by phase",
        xaxis={"title": "coherence", "range": [0, 1.08]},
        yaxis={
            "tickvals": list(range(len(names))),
            "ticktext": names,
            "range": [len(names) - 0.4, -0.6],
            "automargin": True,
            "title": "",
        },
    )


def times_figure(groups: Sequence[Group], phases: Sequence[str]) -> str:
    """Return an HTML fragment: the settled steps of every phase by scenario, in real ms."""
    import plotly.graph_objects as go

    figure = go.Figure()
    everything: list[float] = []
    rows: list[str] = []
    for phase in phases:
        for index, group in enumerate(groups):
            times = [
                ms for run in group.runs if phase in run.phases for ms in settled_ms(run, phase)
            ]
            if not times:
                continue
            figure.add_trace(
                go.Box(
                    x=times,
                    y=[len(rows)] * len(times),
                    name=f"{group.name}, {phase}",
                    orientation="h",
                    boxpoints="all",
                    pointpos=0,
                    jitter=0.6,
                    width=0.6,
                    fillcolor="rgba(0,0,0,0)",
                    line={"color": COLOURS[index % len(COLOURS)], "width": 2},
                    marker={"symbol": SYMBOLS[index % len(SYMBOLS)], "size": 5, "opacity": 0.5},
                )
            )
            everything += times
            rows.append(phase if len(groups) == 1 else f"{phase}<br><i>{group.name}</i>")
    wide = everything and max(everything) > LOGARITHMIC * min(everything)
    return figure_html(
        figure,
        110 + 52 * len(rows),
        name="step times by phase",
        first=False,
        showlegend=False,
        xaxis={"title": "step time (ms of the real system)", "type": "log" if wide else "linear"}
        | ({"dtick": "D2"} if wide else {"rangemode": "tozero"}),
        yaxis={
            "tickvals": list(range(len(rows))),
            "ticktext": rows,
            "range": [len(rows) - 0.4, -0.6],
            "automargin": True,
            "title": "",
        },
    )


def _shift(index: int, count: int) -> float:
    """Return how far from the middle of its phase a scenario is drawn."""
    return SPREAD * ((index + 0.5) / count - 0.5)
