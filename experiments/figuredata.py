"""A figure's points as CSV, for those who would rather draw it themselves. Pure."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = dict[str, Any]


def csv_of(figure: Any) -> str:
    """Return every point of a plotly figure, a row each, under the titles of its axes.

    ``series`` is the trace that a point belongs to. A trace may name its ``customdata`` by
    ``meta``, a list of one name; error bars become their two ends.
    """
    rows = [row for trace in figure.data for row in _rows(trace, figure.layout)]
    columns = dict.fromkeys(column for row in rows for column in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def csv_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows of the same keys as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def data_uri(text: str, kind: str = "text/csv") -> str:
    """Return a file's text as an address that needs no network."""
    return f"data:{kind};charset=utf-8;base64,{base64.b64encode(text.encode()).decode()}"


def _rows(trace: Any, layout: Any) -> Iterator[Row]:
    x, y = _title(trace.xaxis, "x", layout), _title(trace.yaxis, "y", layout)
    series = {"series": _plain(trace.name)} if trace.name else {}
    if trace.type in ("heatmap", "contour"):
        yield from _matrix(trace, series, x, y)
        return
    xs, ys = list(trace.x if trace.x is not None else ()), list(trace.y)
    more = list(trace.customdata) if trace.customdata is not None else None
    bases = _bases(trace, len(ys))
    for index, (at, value) in enumerate(zip(xs or range(len(ys)), ys, strict=True)):
        row = {**series, x: at, y: value}
        if trace.type == "bar":
            key = x if trace.orientation == "h" else y
            row[key] += bases[index]
        if more is not None and trace.meta:
            row[trace.meta[0]] = more[index]
        if trace.type in ("scatter", "bar"):
            row |= _ends(trace.error_x, index, at, x) | _ends(trace.error_y, index, value, y)
        yield row


def _matrix(trace: Any, series: Row, x: str, y: str) -> Iterator[Row]:
    z = _plain(trace.colorbar.title.text) or "z"
    across = trace.meta[0] if trace.meta else trace.x
    down = trace.meta[1] if trace.meta else trace.y
    for at_y, line in zip(down, trace.z, strict=True):
        for at_x, value in zip(across, line, strict=True):
            yield {**series, x: at_x, y: at_y, z: value}


def _bases(trace: Any, count: int) -> Sequence[float]:
    """Return where each bar begins."""
    base = trace.base if trace.type == "bar" and trace.base is not None else 0.0
    return list(base) if isinstance(base, list | tuple) else [base] * count


def _ends(error: Any, index: int, value: Any, title: str) -> Row:
    if error is None or error.array is None:
        return {}
    above = error.array[index]
    below = above if error.arrayminus is None else error.arrayminus[index]
    if above is None or below is None:
        return {}
    return {f"{title}, low": value - below, f"{title}, high": value + above}


def _title(axis: str | None, kind: str, layout: Any) -> str:
    name = f"{kind}axis{(axis or kind)[1:]}"
    return _plain(layout[name].title.text) or kind


def _plain(text: str | None) -> str:
    return (text or "").replace("<br>", " ")
