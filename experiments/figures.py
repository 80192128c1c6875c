"""The report's pictures: the map of campuses and spans, and step time over the run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import networkx as nx

from experiments.changes import Change
from experiments.coherence import NamedSteps
from experiments.figuredata import csv_rows
from experiments.pages import COLOURS, DASHES, INK, QUIET, SYMBOLS, figure_html
from experiments.scenario import Scenario
from experiments.timeline import DONE
from topologies.ageing.delay import GLASS_NS_PER_KM
from topologies.linkstate import LinkState
from topologies.units import render

WIDTH, HEIGHT, MARGIN = 640.0, 420.0, 90.0
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


def map_svg(scenario: Scenario, changes: Sequence[Change]) -> str:
    """Return the map as an SVG element: distances follow the routes, widths the rates."""
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(scenario.network.campuses)
    for span, spec in scenario.network.spans.items():
        km = _kilometres(spec.route, next(c for c in changes if c.span == span))
        a, b = scenario.network.ends_of(span)
        if not graph.has_edge(a, b) or graph.edges[a, b]["km"] > km:
            graph.add_edge(a, b, km=km)
    places = _layout(graph)
    labels = []
    parts = [
        f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" '
        'aria-label="Map of campuses and spans" class="map">'
    ]
    seen: dict[tuple[str, str], int] = {}
    for span in scenario.network.spans:
        a, b = scenario.network.ends_of(span)
        pair = (min(a, b), max(a, b))
        line, label = _span_svg(places[a], places[b], seen.get(pair, 0), span, scenario, changes)
        parts.append(line)
        labels.append(label)  # over all lines
        seen[pair] = seen.get(pair, 0) + 1
    parts += labels
    for campus, (x, y) in places.items():
        workers = scenario.network.campuses[campus].workers
        parts.append(
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="24" fill="{INK}"/>'
            f'<text x="{x:.0f}" y="{y + 6:.0f}" class="ranks">{workers}</text>'
            f'<text x="{x:.0f}" y="{y - 34 if y < HEIGHT / 2 else y + 46:.0f}" '
            f'class="campus">{campus}</text>'
        )
    return "\n".join([*parts, "</svg>"])


def spans_csv(scenario: Scenario, changes: Sequence[Change]) -> str:
    """Return what the map shows as CSV: every span, as it was at first and at last."""
    rows = []
    for span, spec in scenario.network.spans.items():
        states = [change.real.worse for change in changes if change.span == span]
        a, b = scenario.network.ends_of(span)
        row: dict[str, Any] = {"span": span, "from": a, "to": b, "route_m": spec.route}
        for when, state in (("first", states[0]), ("last", states[-1])):
            row |= {f"{when}_rate_bps": state.rate_bps, f"{when}_delay_ns": state.delay_ns}
            row[f"{when}_loss"] = state.mean_loss
        rows.append(row)
    return csv_rows(rows)


def _kilometres(route_m: int | None, change: Change) -> float:
    """Return a span's length, or the fibre that its delay would be, where no route is stated."""
    return route_m / 1000 if route_m else max(1.0, change.real.worse.delay_ns / GLASS_NS_PER_KM)


def _layout(graph: nx.Graph[str]) -> dict[str, tuple[float, float]]:
    """Place campuses so that straight distances follow the routes as well as a plane allows."""
    if len(graph) == 1:
        return dict.fromkeys(graph, (WIDTH / 2, HEIGHT / 2))
    distances = dict(nx.all_pairs_dijkstra_path_length(graph, weight="km"))
    raw = nx.kamada_kawai_layout(graph, dist=distances, pos=nx.circular_layout(graph))
    xs, ys = [point[0] for point in raw.values()], [point[1] for point in raw.values()]
    width, height = max(xs) - min(xs) or 1.0, max(ys) - min(ys) or 1.0
    scale = min((WIDTH - 2 * MARGIN) / width, (HEIGHT - 2 * MARGIN) / height)
    middle_x, middle_y = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    return {
        name: (WIDTH / 2 + (x - middle_x) * scale, HEIGHT / 2 - (y - middle_y) * scale)
        for name, (x, y) in raw.items()
    }


def _span_svg(
    a: tuple[float, float],
    b: tuple[float, float],
    parallel: int,
    span: str,
    scenario: Scenario,
    changes: Sequence[Change],
) -> tuple[str, str]:
    """Draw a span from its first state (thin, dashed where lossy) to its last; and its label."""
    states = [change.real.worse for change in changes if change.span == span]
    first, last = states[0], states[-1]
    changed = first != last
    route = scenario.network.spans[span].route
    length = f"{route / 1000:g} km, " if route else ""
    rate = render(first.rate_bps, "rate")
    if last.rate_bps != first.rate_bps:
        rate += f" → {render(last.rate_bps, 'rate')}"
    details = f"{length}{rate}"
    if first.loss:
        details += f", loss {first.mean_loss:.1g}" + ("" if last.loss else " → 0")
    dx, dy = b[0] - a[0], b[1] - a[1]
    norm = math.hypot(dx, dy) or 1.0
    shift = 16.0 * parallel
    x1, y1 = a[0] - dy / norm * shift, a[1] + dx / norm * shift
    x2, y2 = b[0] - dy / norm * shift, b[1] + dx / norm * shift
    line = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    dashed = ' stroke-dasharray="10 5"' if first.loss else ""
    parts = []
    if changed:
        band = _width(last) + 5
        parts.append(f'<line {line} stroke="#009E73" opacity=".35" stroke-width="{band:.1f}"/>')
    colour = COLOURS[1] if changed else QUIET
    parts.append(f'<line {line} stroke="{colour}" stroke-width="{_width(first):.1f}"{dashed}/>')
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    label = (
        f'<text x="{x:.0f}" y="{y - 4:.0f}" class="span">{span}</text>'
        f'<text x="{x:.0f}" y="{y + 13:.0f}" class="detail">{details}</text>'
    )
    return "\n".join(parts), label


def _width(state: LinkState) -> float:
    """Return a line width in pixels that grows with the logarithm of the rate."""
    return max(1.5, 2.0 * math.log10(state.rate_bps / 1e9) + 2.0)
