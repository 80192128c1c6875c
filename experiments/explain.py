"""``spanlab explain``: why a span is what it is, and what the years do to it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments import pages
from experiments.pages import COLOURS, INK, figure_html, page
from experiments.scenario import Scenario
from topologies.ageing.chain import Chain
from topologies.ageing.explanation import Line, explain
from topologies.ageing.plant import Plant
from topologies.errors import NetworkError, PhysicsError
from topologies.spans import initial_plant, plant_chain, upgraded
from topologies.suggest import unknown
from topologies.units import YEAR_NS, render

YEARS = 60
"""Of the curve of loss and capacity against age."""
LEAST_SHOWN = 1e-12
"""Of frames lost: less is none."""
BAR = 20
"""Characters of the widest bar on a screen."""


@dataclass(frozen=True)
class Stage:
    """A span as it is at first or after an upgrade of the timeline; ``refused`` says why not."""

    name: str
    lines: tuple[Line, ...]
    refused: str | None = None


@dataclass(frozen=True)
class AtAge:
    """What a span carries at an age: share of frames lost, bit/s, margin and reserve in dB."""

    years: float
    loss: float
    capacity_bps: int
    up: bool
    repairs: float
    reserve_db: float | None


@dataclass(frozen=True)
class Explanation:
    """Why a span is what it is: its derivation, that of its upgrades, and its life.

    Beside its life that of an ``other``: the same line with error correction, or without it.
    """

    span: str
    age_years: float
    stages: tuple[Stage, ...]
    life: tuple[AtAge, ...]
    other_life: tuple[AtAge, ...]
    other: str

    def to_json(self) -> dict[str, Any]:
        """Return this as plain data."""
        return asdict(self)


def explanation_of(scenario: Scenario, span: str) -> Explanation:
    """Derive a span; raises NetworkError for one that the scenario does not have or that states
    no condition, so that there is nothing to derive.
    """
    spans, known = scenario.network.spans, scenario.known
    if span not in spans:
        raise NetworkError(unknown("span", span, spans))
    spec = spans[span]
    plant = initial_plant(spec, known)
    if plant.optics is None:
        raise NetworkError(
            f"network.spans.{span}: states its link outright; only a condition is explained, "
            f"such as condition: {next(iter(known.conditions))}"
        )
    mtu, seed = scenario.network.mtu, scenario.seed

    def follow(it: Plant) -> Chain:
        return plant_chain(it, span, seed, mtu, known)

    stages = [Stage("as it is", tuple(explain(follow(plant))))]
    after = plant
    for event in scenario.timeline:
        if event.target != span or event.with_ is None:
            continue
        try:
            after, chain = upgraded(after, event.with_, span, seed, mtu, known)
            stages.append(Stage(event.with_, tuple(explain(chain))))
        except PhysicsError as error:
            stages.append(Stage(event.with_, (), str(error)))
            break

    def life_of(it: Plant) -> tuple[AtAge, ...]:
        halves = range(2 * YEARS + 1)
        ages = [replace(it, age_ns=round(half * YEAR_NS / 2)) for half in halves]
        return tuple(
            _at_age(follow(aged), half / 2) for aged, half in zip(ages, halves, strict=True)
        )

    other, other_life = "", tuple[AtAge, ...]()
    if plant.optics.kind == "ook":
        code = known.codes["none" if plant.code.threshold else "g709"]
        other, other_life = f"with {code.summary}", life_of(replace(plant, code=code))
    age_years = plant.age_ns / YEAR_NS
    return Explanation(span, age_years, tuple(stages), life_of(plant), other_life, other)


def _at_age(chain: Chain, years: float) -> AtAge:
    capacity_bps = chain.capacity_bps if chain.up else 0
    loss = chain.loss if chain.up else 1.0
    return AtAge(years, loss, capacity_bps, chain.up, chain.wear.repairs, chain.reserve_db)


def write_page(path: Path, scenario: Scenario, explanation: Explanation) -> None:
    """Write the derivation and the plot of loss and capacity against age as one page."""
    text = page(
        "explain.html.j2",
        scenario=scenario,
        explanation=explanation,
        figure=life_figure(explanation),
        years=YEARS,
    )
    pages.write_page(path, text)


def life_figure(explanation: Explanation) -> str:
    """Return an HTML fragment: loss and capacity against age, with the cliff marked."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    other = (explanation.other, explanation.other_life, "dot")
    lives = [("as it is", explanation.life, "solid"), other]
    for index, (name, life, dash) in enumerate(lives):
        years = [point.years for point in life]
        losses = [point.loss if point.loss > LEAST_SHOWN else None for point in life]
        rates = [point.capacity_bps / 1e9 for point in life]
        for row, values in enumerate((losses, rates), start=1):
            line = {"color": COLOURS[1 - index], "shape": "hv", "width": 2.5, "dash": dash}
            trace = go.Scatter(x=years, y=values, name=name, line=line, showlegend=row == 1)
            if life:
                figure.add_trace(trace, row=row, col=1)
    figure.add_vline(x=explanation.age_years, line={"color": INK, "width": 1, "dash": "dash"})
    figure.add_annotation(
        x=explanation.age_years, y=1.06, yref="paper", text="now", showarrow=False
    )
    figure.update_yaxes(
        type="log", range=[-12, 0], dtick=3, exponentformat="power", title="frames lost", row=1
    )
    figure.update_yaxes(rangemode="tozero", title="Gbit/s", row=2)
    figure.update_xaxes(title="years in service", row=2)
    return figure_html(figure, 480, name="loss and capacity against age", showlegend=True)


def show(console: Console, explanation: Explanation) -> None:
    """Print a derivation and the years as a table with bars."""
    for stage in explanation.stages:
        table = Table(
            "", "", "from", title=f"{explanation.span}, {stage.name}", title_justify="left",
            show_edge=False, pad_edge=False, show_header=False,
        )  # fmt: skip
        for line in stage.lines:
            table.add_row(line.quantity, Text(line.value, style="bold"), line.origin)
        console.print(table)
        if stage.refused:
            console.print(Text(f"refused: {stage.refused}", style="red"))
        console.print()
    table = Table(
        "years", "repairs", "to the cliff", "frame loss", "", "capacity",
        title="the same span over the years, as this seed draws its repairs",
        title_justify="left", show_edge=False, pad_edge=False,
    )  # fmt: skip
    for point in _worth_showing(explanation):
        here = abs(point.years - explanation.age_years) < 0.25
        table.add_row(
            f"{point.years:g}{' now' if here else ''}",
            f"{point.repairs:g}",
            "" if point.reserve_db is None else f"{point.reserve_db:+.1f} dB",
            f"{point.loss:.1e}" if point.up else "down",
            Text(_bar(point), style="red" if not point.up else "yellow"),
            render(point.capacity_bps, "rate") if point.up else "none",
            style="bold" if here else "",
        )
    console.print(table)


def _worth_showing(explanation: Explanation) -> list[AtAge]:
    """Return every fifth year, now, and the last year up with the first one down."""
    life = explanation.life
    shown = {index for index, point in enumerate(life) if point.years % 5 == 0}
    shown |= {min(range(len(life)), key=lambda i: abs(life[i].years - explanation.age_years))}
    for index in range(1, len(life)):
        if life[index].up != life[index - 1].up:
            shown |= {index - 1, index}
    return [life[index] for index in sorted(shown)]


def _bar(point: AtAge) -> str:
    """Return a bar on a logarithmic scale from 1e-12 to a loss of everything."""
    if point.loss <= LEAST_SHOWN:
        return ""
    return "#" * round(BAR * (1 + math.log10(point.loss) / 12))
