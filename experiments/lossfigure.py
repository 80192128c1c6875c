"""The report's picture of what was learnt: loss over time."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.coherence import NamedSteps, SystemStep
from experiments.learning import STEPS_MEANT, smooth
from experiments.pages import COLOURS, INK, QUIET, SYMBOLS, figure_html


def loss_figure(
    steps: Sequence[SystemStep],
    phases: Sequence[NamedSteps],
    origin_ns: int,
    best_loss: float,
    target: float | None,
) -> str:
    """Return an HTML fragment: each step's loss against time, by phase, and the mean of several."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for index, (phase, members) in enumerate(phases):
        figure.add_trace(
            go.Scatter(
                x=[(step.end_ns - origin_ns) / 1e9 for step in members],
                y=[step.loss for step in members],
                customdata=[step.step for step in members],
                meta=["step"],
                name=phase,
                mode="markers",
                marker={
                    "color": COLOURS[index % len(COLOURS)],
                    "symbol": SYMBOLS[index % len(SYMBOLS)],
                    "size": 6,
                },
                hovertemplate="step %{customdata}: %{y:.3f}<extra>%{fullData.name}</extra>",
            )
        )
    figure.add_trace(
        go.Scatter(
            x=[(step.end_ns - origin_ns) / 1e9 for step in steps],
            y=smooth(steps),
            name=f"mean of {STEPS_MEANT} steps",
            mode="lines",
            line={"color": INK, "width": 1.5},
            hovertemplate="%{y:.3f}<extra>mean</extra>",
        )
    )
    lines = [(best_loss, "entropy of the text")]
    if target is not None:
        lines.append((target, "target"))
    for height, name in lines:
        figure.add_hline(
            y=height, line={"color": QUIET, "width": 1, "dash": "dash"}, annotation_text=name
        )
    return figure_html(
        figure,
        340,
        name="loss",
        first=False,
        xaxis={"title": "time of the run (s)"},
        yaxis={"title": "loss (nats per character)", "rangemode": "tozero"},
    )
