"""The report's pictures: step time over the run, and where it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from experiments.coherence import NamedSteps
from experiments.pages import COLOURS, DASHES, INK, QUIET, SYMBOLS, figure_html
from experiments.timeline import DONE

NARROW_PX, CHARACTER_PX, LABEL_PX = 270.0, 6.6, 16
"""A figure's width on a telephone, and what a character and a line of a label take."""
MOST_LABELS = 12
RANK_TIMES = {
    "compute_ms": "computing",
    "wait_ms": "waiting for the slowest rank",
    "network_ms": "network",
}
"""What the times of `ranktimes.RankTimes` are called."""


def step_figure(
    phases: Sequence[NamedSteps], events: Sequence[Mapping[str, Any]], origin_ns: int
) -> str:
    """Return an HTML fragment: duration of every step against time, changes marked."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for index, (phase, members) in enumerate(phases):
        figure.add_trace(
            go.Scatter(
                x=[(step.end_ns - origin_ns) / 1e9 for step in members],
                y=[step.duration_ns / 1e6 for step in members],
                customdata=[step.step for step in members],
                meta=["step"],
                name=phase,
                mode="lines+markers",
                line={
                    "color": COLOURS[index % len(COLOURS)],
                    "dash": DASHES[index % len(DASHES)],
                    "width": 1.5,
                },
                marker={"symbol": SYMBOLS[index % len(SYMBOLS)], "size": 8},
                hovertemplate="step %{customdata}: %{y:.0f} ms<extra>%{fullData.name}</extra>",
            )
        )
    moments = _moments(events)
    ends_s = [(step.end_ns - origin_ns) / 1e9 for _, members in phases for step in members]
    placed = label_rows(moments, (min(ends_s, default=0.0), max(ends_s, default=1.0)))
    for t_s, _ in moments:
        figure.add_vline(x=t_s, line={"color": QUIET, "width": 1, "dash": "dash"})
    for (t_s, text), (row, anchor) in zip(moments, placed, strict=True):
        figure.add_annotation(
            x=t_s,
            y=1.0,
            yref="paper",
            yanchor="bottom",
            yshift=LABEL_PX * row,
            xanchor=anchor,
            text=text,
            showarrow=False,
            font={"size": 12, "color": INK},
        )
    rows = max((row for row, _ in placed), default=0) + 1
    shown = [step.duration_ns / 1e6 for _, members in phases for step in members]
    top_ms = max(shown, default=1.0)
    return figure_html(
        figure,
        350 + LABEL_PX * rows,
        name="step times",
        margin={"l": 70, "r": 20, "t": 20 + LABEL_PX * rows, "b": 50},
        xaxis={"title": "time of the run (s)"},
        yaxis={"title": "step time (ms)", "range": [0, top_ms * 1.08]},
    )


def times_figure(result: Mapping[str, Any]) -> str:
    """Return an HTML fragment: where the mean step's time goes, in every phase."""
    import plotly.graph_objects as go

    phases = [{"name": "reference", **result["reference"]}, *result["phases"]]
    names = [phase["name"] for phase in phases]
    figure = go.Figure()
    for (key, label), pattern, colour in zip(
        RANK_TIMES.items(), ("", "/", "x"), COLOURS, strict=False
    ):
        means = [fmean(rank[key] for rank in phase["ranks"]) for phase in phases]
        figure.add_trace(
            go.Bar(
                x=means,
                y=names,
                name=label,
                orientation="h",
                marker={"color": colour, "pattern": {"shape": pattern}},
                hovertemplate="%{y}: %{x:.1f} ms<extra>%{fullData.name}</extra>",
            )
        )
    return figure_html(
        figure,
        150 + 40 * len(phases),
        name="where a step's time goes",
        first=False,
        barmode="stack",
        xaxis={"title": "mean step of a rank (ms)"},
        yaxis={"autorange": "reversed", "automargin": True},
    )


def label_rows(
    labels: Sequence[tuple[float, str]], within: tuple[float, float]
) -> list[tuple[int, str]]:
    """Return for labels at their times the row of each, from 0, and its anchor, so that none
    covers another even on a narrow screen.
    """
    begin, end = within
    taken: list[float] = []
    found = []
    for at, text in labels:
        x_px = NARROW_PX * min(1.0, max(0.0, (at - begin) / ((end - begin) or 1.0)))
        width_px = CHARACTER_PX * len(text)
        anchor = "left" if x_px < width_px / 2 else "center"
        if x_px > NARROW_PX - width_px / 2:
            anchor = "right" if x_px > width_px else anchor
        left_px = x_px - {"left": 0.0, "center": 0.5, "right": 1.0}[anchor] * width_px
        row = next((row for row, until in enumerate(taken) if until <= left_px), len(taken))
        taken[row : row + 1] = [left_px + width_px + CHARACTER_PX]
        found.append((row, anchor))
    return found


def _moments(events: Sequence[Mapping[str, Any]]) -> list[tuple[float, str]]:
    """Join events that came together into one label; of many moments, only lines are left."""
    moments: dict[float, list[str]] = {}
    for event in events:
        first = event["kind"] == "age" and event["t_s"] == events[0]["t_s"]
        label = "spans aged" if first else f"{event['target']} {DONE[event['kind']]}"
        labels = moments.setdefault(event["t_s"], [])
        if label not in labels:
            labels.append(label)
    if len(moments) > MOST_LABELS:
        return [(t_s, "") for t_s in moments]
    return [(t_s, _joined(labels)) for t_s, labels in moments.items()]


def _joined(labels: Sequence[str]) -> str:
    """Return one line for what came at one moment."""
    more = f" and {len(labels) - 1} more" if len(labels) > 1 else ""
    return labels[0] + more
