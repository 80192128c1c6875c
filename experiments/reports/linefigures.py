"""Coherence against one field, against nothing but names, and against what a point costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.coherence import COHERENT
from experiments.pages import COLOURS, DASHES, INK, QUIET, SYMBOLS, figure_html
from experiments.reports.facets import Facet
from experiments.reports.scales import scale_of
from experiments.reports.swept import Field, Found

DOUBTFUL = "not faithful, does not count"


def line_figure(field: Field, facets: Sequence[Facet], *, first: bool = True) -> str:
    """Return an HTML fragment: coherence against a field, a line for each facet."""
    import plotly.graph_objects as go

    figure, scale = go.Figure(), scale_of(field)
    for index, facet in enumerate(facets):
        points = sorted(
            (scale.at(field.number(it.values[field.path])), it.point, it)
            for it in facet.found
            if it.counts
        )
        figure.add_trace(
            go.Scatter(
                x=[place for place, _, _ in points],
                **_with_intervals("y", [it for _, _, it in points]),
                customdata=[field.said(it.values[field.path]) for _, _, it in points],
                meta=[field.path],
                name=facet.name or "coherence",
                mode="lines+markers",
                line={
                    "color": COLOURS[index % len(COLOURS)],
                    "dash": DASHES[index % len(DASHES)],
                },
                marker={"symbol": SYMBOLS[index % len(SYMBOLS)], "size": 9},
                hovertemplate="%{customdata}: %{y:.3f}<extra>%{fullData.name}</extra>",
            )
        )
    doubted = [it for facet in facets for it in facet.found if _doubtful(it)]
    _add_doubted(
        figure,
        [scale.at(field.number(it.values[field.path])) for it in doubted],
        [it.coherence for it in doubted],
    )
    _mark_coherent(figure, "y")
    places, texts = scale.ticks
    return figure_html(
        figure,
        420,
        name=f"coherence against {field.name}",
        first=first,
        xaxis={"title": field.name, "tickvals": places, "ticktext": texts, "zeroline": False},
        yaxis={"title": "coherence", "range": [0, 1.08]},
    )


def names_figure(facets: Sequence[Facet], *, first: bool = True) -> str:
    """Return an HTML fragment: the coherence of every point that has but a name."""
    import plotly.graph_objects as go

    figure = go.Figure()
    rows = {facet.name: row for row, facet in enumerate(facets)}
    counted = [(facet.name, it) for facet in facets for it in facet.found if it.counts]
    figure.add_trace(
        go.Scatter(
            y=[rows[name] for name, _ in counted],
            **_with_intervals("x", [it for _, it in counted]),
            customdata=[name for name, _ in counted],
            meta=["point"],
            name="coherence",
            mode="markers",
            marker={"color": COLOURS[0], "size": 11},
            hovertemplate="%{customdata}: %{x:.3f}<extra></extra>",
        )
    )
    doubted = [(facet.name, it) for facet in facets for it in facet.found if _doubtful(it)]
    _add_doubted(figure, [it.coherence for _, it in doubted], [rows[name] for name, _ in doubted])
    _mark_coherent(figure, "x")
    return figure_html(
        figure,
        130 + 34 * len(rows),
        name="coherence by point",
        first=first,
        xaxis={"title": "coherence", "range": [0, 1.08]},
        yaxis={
            "tickvals": list(rows.values()),
            "ticktext": list(rows),
            "range": [len(rows) - 0.4, -0.6],
            "automargin": True,
            "title": "",
        },
    )


def pareto_figure(
    title: str, prices: Mapping[int, float], names: Mapping[int, str], found: Sequence[Found]
) -> str:
    """Return an HTML fragment: coherence against a price, and the best for each price or less."""
    import plotly.graph_objects as go

    figure = go.Figure()
    counted = [it for it in found if it.counts and it.point in prices]
    figure.add_trace(
        go.Scatter(
            x=[prices[it.point] for it in counted],
            y=[it.coherence for it in counted],
            customdata=[names[it.point] for it in counted],
            meta=["point"],
            name="points",
            mode="markers",
            marker={"color": COLOURS[0], "symbol": "circle-open", "size": 9},
            hovertemplate="%{customdata}: %{y:.3f}<extra></extra>",
        )
    )
    best = pareto(prices, counted)
    figure.add_trace(
        go.Scatter(
            x=[prices[it.point] for it in best],
            **_with_intervals("y", best),
            customdata=[names[it.point] for it in best],
            meta=["point"],
            name="Pareto front: nothing cheaper is better",
            mode="lines+markers",
            line={"color": COLOURS[1], "shape": "hv", "width": 2.5},
            marker={"symbol": "diamond", "size": 10},
            hovertemplate="%{customdata}: %{y:.3f}<extra>front</extra>",
        )
    )
    doubted = [it for it in found if _doubtful(it) and it.point in prices]
    _add_doubted(figure, [prices[it.point] for it in doubted], [it.coherence for it in doubted])
    _mark_coherent(figure, "y")
    positive = [it for it in prices.values() if it > 0]
    wide = len(positive) == len(prices) and max(positive) >= 20 * min(positive)
    return figure_html(
        figure,
        420,
        name=f"coherence against {title}",
        first=False,
        xaxis={"title": title, "type": "log" if wide else "linear"}
        | ({"dtick": 1} if wide else {"rangemode": "tozero"}),
        yaxis={"title": "coherence", "range": [0, 1.08]},
    )


def pareto(prices: Mapping[int, float], found: Sequence[Found]) -> list[Found]:
    """Return the points that nothing as cheap or cheaper beats, the cheapest first."""
    front: list[Found] = []
    for it in sorted(found, key=lambda it: (prices[it.point], -(it.coherence or 0.0))):
        if not front or (it.coherence or 0.0) > (front[-1].coherence or 0.0):
            front.append(it)
    return front


def _doubtful(it: Found) -> bool:
    return it.coherence is not None and not it.counts


def _with_intervals(side: str, found: Sequence[Found]) -> dict[str, Any]:
    """Return coherences along an axis, with the ends of their intervals."""
    values = [it.coherence or 0.0 for it in found]
    return {
        side: values,
        f"error_{side}": {
            "type": "data",
            "symmetric": False,
            "array": [(it.high or value) - value for it, value in zip(found, values, strict=True)],
            "arrayminus": [
                value - (it.low or 0.0) for it, value in zip(found, values, strict=True)
            ],
            "thickness": 1.5,
        },
    }


def _add_doubted(figure: Any, xs: Sequence[Any], ys: Sequence[Any]) -> None:
    """Mark what does not count by a cross, and say so."""
    import plotly.graph_objects as go

    if xs:
        marker = {"symbol": "x-thin", "size": 10, "line": {"color": QUIET, "width": 2}}
        figure.add_trace(go.Scatter(x=xs, y=ys, name=DOUBTFUL, mode="markers", marker=marker))


def _mark_coherent(figure: Any, axis: str) -> None:
    line = {"color": INK, "width": 1, "dash": "dash"}
    if axis == "y":
        figure.add_hline(
            y=COHERENT, line=line, annotation_text="coherent", annotation_position="bottom left"
        )
    else:
        figure.add_vline(x=COHERENT, line=line, annotation_text="coherent")
