"""What can be downloaded of a figure is what it shows."""

from __future__ import annotations

import csv
import io
from typing import Any

import plotly.graph_objects as go

from experiments.figuredata import csv_of, csv_rows
from experiments.pages import figure_html
from tests.experiments.reports.downloads import saved


def rows(figure: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_of(figure))))


def test_points_stand_under_the_titles_of_their_axes() -> None:
    figure = go.Figure(
        go.Scatter(
            x=[1, 2],
            y=[0.5, 0.75],
            name="ddp, aged",
            customdata=[10, 11],
            meta=["step"],
            error_y={"type": "data", "array": [0.125, 0.25], "arrayminus": [0.25, 0.25]},
        )
    )
    figure.update_layout(xaxis={"title": "time (s)"}, yaxis={"title": "coherence"})
    first, second = rows(figure)
    assert first["series"] == "ddp, aged"
    assert (first["time (s)"], first["coherence"], first["step"]) == ("1", "0.5", "10")
    assert float(second["coherence, low"]) == 0.5
    assert float(second["coherence, high"]) == 1.0


def test_bars_are_told_by_where_they_end() -> None:
    figure = go.Figure(go.Bar(x=[-2, 3], y=["a", "b"], base=10, orientation="h"))
    figure.update_layout(xaxis={"title": "worth"})
    assert [row["worth"] for row in rows(figure)] == ["8", "13"]


def test_each_axis_of_several_has_a_column() -> None:
    figure = go.Figure([go.Scatter(y=[1]), go.Scatter(y=[2], yaxis="y2")])
    figure.update_layout(yaxis={"title": "loss"}, yaxis2={"title": "Gbit/s"})
    assert rows(figure) == [
        {"x": "0", "loss": "1", "Gbit/s": ""},
        {"x": "0", "loss": "", "Gbit/s": "2"},
    ]


def test_a_matrix_is_told_cell_by_cell_in_the_fields_own_words() -> None:
    figure = go.Figure(
        go.Heatmap(
            z=[[0.9, None]], x=[0, 1], y=[0], meta=[["1 ms", "2 ms"], ["0"]],
            colorbar={"title": {"text": "coherence"}},
        )
    )  # fmt: skip
    figure.update_layout(xaxis={"title": "delay"}, yaxis={"title": "loss"})
    assert rows(figure) == [
        {"delay": "1 ms", "loss": "0", "coherence": "0.9"},
        {"delay": "2 ms", "loss": "0", "coherence": ""},
    ]


def test_every_figure_of_a_page_brings_its_data_and_can_be_reached() -> None:
    html = figure_html(go.Figure(go.Scatter(x=[1], y=[2])), 300, name="a <figure>", first=False)
    assert saved(html, "a-figure") == "x,y\n1,2\n"
    assert 'tabindex="0"' in html
    assert "Figure: a &lt;figure&gt;." in html


def test_rows_become_csv() -> None:
    assert csv_rows([{"span": "a,b", "rate": 1}]) == 'span,rate\n"a,b",1\n'
    assert csv_rows([]) == "\n"
