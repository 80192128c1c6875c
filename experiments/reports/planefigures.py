"""Coherence over the plane of two fields: heat maps on a grid, points anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.coherence import COHERENT, DEGRADED, in_digits
from experiments.pages import INK, figure_html
from experiments.reports.facets import Facet, cell_key
from experiments.reports.scales import scale_of
from experiments.reports.swept import Field, Found

MARKS: Mapping[str, str] = {"coherent": "●", "degraded": "◐", "incoherent": "○"}
SYMBOLS: Mapping[str, str] = {
    "coherent": "circle",
    "degraded": "diamond",
    "incoherent": "circle-open",
}
DOUBTED = "x-thin"
HATCHES = 5
"""Lines across a cell that is not to be believed."""
CLASSES: Sequence[tuple[float, str]] = (
    (0.0, "#0b2a4a"),
    (DEGRADED, "#3d77ab"),
    (DEGRADED, "#7fb0d6"),
    (COHERENT, "#cfe3f3"),
    (COHERENT, "#ffedb0"),
    (1.0, "#fff6d8"),
)
"""Darker is worse, also in grey; a class begins with a step that can be seen."""
COLOUR_SCALE: dict[str, Any] = {"colorscale": list(CLASSES), "zmin": 0, "zmax": 1}


def heat_figure(axes: tuple[Field, Field], facet: Facet, *, first: bool) -> str:
    """Return an HTML fragment: a cell for each crossing of two fields' values, with its coherence.

    Cells without a faithful run have no colour and are hatched; one that failed says so.
    """
    import plotly.graph_objects as go

    x, y = axes
    cells = {
        (cell_key(y, it.values[y.path]), cell_key(x, it.values[x.path])): it for it in facet.found
    }
    rows, columns = range(len(y.values)), range(len(x.values))
    z = [[_believed(cells.get((row, column))) for column in columns] for row in rows]
    figure = go.Figure(
        go.Heatmap(
            z=z,
            x=list(columns),
            y=list(rows),
            meta=[[x.said(it) for it in x.values], [y.said(it) for it in y.values]],
            text=[[_mark(cells.get((row, column))) for column in columns] for row in rows],
            texttemplate="%{text}",
            hovertemplate="%{z:.3f}<extra></extra>",
            colorbar={"title": {"text": "coherence"}},
            showscale=False,
            textfont={"size": 11},
            xgap=2,
            ygap=2,
            **COLOUR_SCALE,
        )
    )
    for (row, column), it in cells.items():
        if not it.counts:
            figure.add_shape(
                type="path", path=_hatching(column, row), line={"color": INK, "width": 1}
            )
            figure.add_annotation(
                x=column,
                y=row,
                text=_doubt(it),
                showarrow=False,
                bgcolor="white",
                borderpad=0,
                font={"size": 11},
            )
    return figure_html(
        figure,
        150 + 46 * max(4, len(y.values)),
        name=_named("coherence", facet),
        first=first,
        title={"text": facet.name, "font": {"size": 14}, "x": 0.02},
        xaxis=_index_axis(x),
        yaxis=_index_axis(y) | {"automargin": True},
        margin={"l": 60, "r": 10, "t": 36, "b": 50},
    )


def points_figure(axes: tuple[Field, Field], facet: Facet, *, first: bool) -> str:
    """Return an HTML fragment: points where their numbers lie, their shape and colour coherence."""
    import plotly.graph_objects as go

    figure = go.Figure()
    add_points(figure, axes, facet.found, coloured=True)
    return figure_html(
        figure,
        380,
        name=_named("coherence", facet),
        first=first,
        title={"text": facet.name, "font": {"size": 14}, "x": 0.02},
        xaxis=scale_axis(axes[0]),
        yaxis=scale_axis(axes[1]) | {"automargin": True},
        margin={"l": 60, "r": 10, "t": 36, "b": 50},
    )


def add_points(
    figure: Any, axes: tuple[Field, Field], found: Sequence[Found], *, coloured: bool
) -> None:
    """Draw points by what they came to, each kind with a shape of its own."""
    import plotly.graph_objects as go

    x, y = axes
    scales = scale_of(x), scale_of(y)
    kinds = [(name, symbol) for name, symbol in SYMBOLS.items()]
    for name, symbol in (*kinds, ("not faithful or failed", DOUBTED)):
        members = [it for it in found if _kind(it) == name]
        if not members:
            continue
        marker: dict[str, Any] = {
            "symbol": symbol,
            "size": 11,
            "color": INK,
            "line": {"color": INK, "width": 2 if symbol == DOUBTED else 1},
        }
        if coloured and symbol != DOUBTED:
            marker |= {
                "color": [it.coherence for it in members],
                "colorscale": list(CLASSES),
                "cmin": 0,
                "cmax": 1,
            }
        figure.add_trace(
            go.Scatter(
                x=[scales[0].at(x.number(it.values[x.path])) for it in members],
                y=[scales[1].at(y.number(it.values[y.path])) for it in members],
                customdata=[it.coherence for it in members],
                meta=["coherence"],
                text=[_told(axes, it) for it in members],
                mode="markers",
                name=name,
                marker=marker,
                hovertemplate="%{text}<extra>%{fullData.name}</extra>",
            )
        )


def _kind(it: Found) -> str:
    return it.class_ or "" if it.counts else "not faithful or failed"


def _told(axes: Sequence[Field], it: Found) -> str:
    said = "<br>".join(f"{field.name} {field.said(it.values[field.path])}" for field in axes)
    return f"{said}<br>{'no result' if it.coherence is None else f'coherence {it.coherence:.3f}'}"


def _named(what: str, facet: Facet) -> str:
    return f"{what}, {facet.name}" if facet.name else what


def _believed(it: Found | None) -> float | None:
    return it.coherence if it and it.counts else None


def _mark(it: Found | None) -> str:
    """Return what a cell says: its coherence, and the mark of its class."""
    if it is None or it.coherence is None or not it.counts:
        return ""
    return f"{in_digits(it.coherence)} {MARKS.get(it.class_ or '', '')}"


def _doubt(it: Found) -> str:
    return "failed" if it.coherence is None else f"{in_digits(it.coherence)} ?"


def _hatching(column: float, row: float) -> str:
    """Return parallel lines across a cell as an SVG path in the axes' units."""
    parts = []
    for line in range(1, HATCHES + 1):
        reach = 2 * line / (HATCHES + 1) - 1  # of x + y, seen from the middle
        low, high = max(-0.5, reach - 0.5), min(0.5, reach + 0.5)
        parts.append(f"M {column + low} {row + reach - low} L {column + high} {row + reach - high}")
    return " ".join(parts)


def _index_axis(field: Field) -> dict[str, Any]:
    return {
        "title": field.name,
        "tickvals": list(range(len(field.values))),
        "ticktext": [field.said(it) for it in field.values],
        "range": [-0.5, len(field.values) - 0.5],
        "showgrid": False,
        "zeroline": False,
    }


def scale_axis(field: Field) -> dict[str, Any]:
    """Return an axis on which a field's numbers lie by their size."""
    scale = scale_of(field)
    places, texts = scale.ticks
    return {
        "title": field.name,
        "tickvals": places,
        "ticktext": texts,
        "range": scale.range,
        "zeroline": False,
    }
