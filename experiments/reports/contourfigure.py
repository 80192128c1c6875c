"""The line between what is coherent and what is not, in the plane of two fields."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.coherence import COHERENT
from experiments.pages import COLOURS, DASHES, figure_html
from experiments.reports.facets import Facet, cell_key
from experiments.reports.planefigures import add_points, scale_axis
from experiments.reports.scales import scale_of
from experiments.reports.swept import Field, Found

MESH = 40
"""Places along each axis between which coherence is interpolated."""


def contour_figure(axes: tuple[Field, Field], facets: Sequence[Facet], *, scattered: bool) -> str:
    """Return an HTML fragment: the line on which coherence is 0.95, of every facet.

    Interpolated between points that count, by the fields' own scales.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for index, facet in enumerate(facets):
        believed = [it for it in facet.found if it.counts]
        values = [it.coherence or 0.0 for it in believed]
        name = facet.name or "coherence 0.95"
        if min(values, default=0.0) >= COHERENT:
            name += " (all above)"
        elif max(values, default=0.0) < COHERENT:
            name += " (nowhere reached)"
        xs, ys, z = (_mesh if scattered else _grid)(axes, believed)
        figure.add_trace(
            go.Contour(
                x=xs,
                y=ys,
                z=z,
                name=name,
                showlegend=True,
                contours={
                    "start": COHERENT,
                    "end": COHERENT,
                    "size": 1,
                    "coloring": "none",
                },
                line={
                    "color": COLOURS[index % len(COLOURS)],
                    "dash": DASHES[index % len(DASHES)],
                    "width": 3,
                    "smoothing": 0,
                },
                showscale=False,
                colorbar={"title": {"text": "coherence"}},
                hoverinfo="skip",
            )
        )
    if len(facets) == 1:
        add_points(figure, axes, facets[0].found, coloured=False)
    return figure_html(
        figure,
        420,
        name="where coherence is 0.95",
        first=False,
        xaxis=scale_axis(axes[0]),
        yaxis=scale_axis(axes[1]) | {"automargin": True},
    )


Surface = tuple[list[float], list[float], list[list[float | None]]]


def _grid(axes: tuple[Field, Field], found: Sequence[Found]) -> Surface:
    """Return coherence on the crossings of two fields' values; None where nothing counts."""
    x, y = axes
    known = {
        (cell_key(y, it.values[y.path]), cell_key(x, it.values[x.path])): it.coherence
        for it in found
    }
    z = [[known.get((row, at)) for at in range(len(x.values))] for row in range(len(y.values))]
    places = [[scale_of(it).at(it.number(value)) for value in it.values] for it in axes]
    return places[0], places[1], z


def _mesh(axes: tuple[Field, Field], found: Sequence[Found]) -> Surface:
    """Return coherence on a mesh, linear within the triangles between scattered points."""
    import numpy as np
    from scipy.interpolate import griddata
    from scipy.spatial import QhullError

    scales = [scale_of(field) for field in axes]
    at = np.array(
        [
            [
                scale.at(field.number(it.values[field.path]))
                for field, scale in zip(axes, scales, strict=True)
            ]
            for it in found
        ]
    ).reshape(-1, 2)
    if not len(at):
        return [], [], []
    sides = [np.linspace(low, high, MESH) for low, high in zip(at.min(0), at.max(0), strict=True)]
    try:
        values = [it.coherence for it in found]
        z = griddata(at, values, tuple(np.meshgrid(*sides)), method="linear", rescale=True)
    except (QhullError, ValueError):
        return [], [], []  # points in a line enclose nothing
    known = [[None if np.isnan(it) else round(float(it), 4) for it in row] for row in z]
    return sides[0].tolist(), sides[1].tolist(), known
