"""A plan as a page: the answer, cost against coherence, sets, sensitivities, what is not known."""

from __future__ import annotations

from pathlib import Path

from experiments.coherence import COHERENT, DEGRADED
from experiments.pages import COLOURS, INK, figure_html, page, write_page
from experiments.planner.answer import Choice, Plan
from experiments.planner.plan import recommended
from experiments.planner.wording import answer_sentence, days, money
from experiments.scenario import Scenario


def write_plan(path: Path, scenario: Scenario, plan: Plan) -> None:
    """Write the page of a plan."""
    write_page(path, plan_page(scenario, plan))


def plan_page(scenario: Scenario, plan: Plan) -> str:
    """Return the page of a plan."""
    return page(
        "plan.html.j2",
        scenario=scenario,
        plan=plan,
        sentence=answer_sentence(plan),
        advised=recommended(plan),
        cost_figure=cost_figure(plan),
        tornado=tornado(plan, recommended(plan)),
        earns=earns(plan),
        money=money,
        days=days,
        class_of=class_of,
    )


def class_of(coherence: float) -> str:
    """Name a coherence as results do."""
    if coherence >= COHERENT:
        return "coherent"
    return "degraded" if coherence >= DEGRADED else "incoherent"


def earns(plan: Plan) -> bool:
    """Return whether the sensitivities are US dollars and not coherence."""
    return plan.waste is not None and recommended(plan).cost_usd is not None


def cost_figure(plan: Plan) -> str:
    """Return an HTML fragment: coherence against cost, the Pareto front as a line."""
    import plotly.graph_objects as go

    figure = go.Figure()
    everything = {it.name: it for it in (plan.base, *plan.singles, *plan.choices, *plan.pareto)}
    priced = [it for it in everything.values() if it.cost_usd is not None]
    open_priced = [it for it in everything.values() if it.cost_usd is None]
    front = sorted(plan.pareto, key=lambda it: it.cost_usd or 0.0)
    dots = (
        ("upgrade sets", priced, COLOURS[0], "circle", 9),
        ("price unknown, drawn at what is known of it", open_priced, COLOURS[2], "x-thin", 8),
    )
    for name, sets, colour, symbol, size in dots:
        if not sets:
            continue
        marker = {
            "color": colour,
            "symbol": symbol,
            "size": size,
            "line": {"width": 2, "color": colour},
        }
        figure.add_trace(
            go.Scatter(
                x=[_known_usd(it) for it in sets],
                y=[it.outlook.coherence for it in sets],
                text=[it.name.replace("; ", "<br>") for it in sets],
                mode="markers",
                name=name,
                marker=marker,
                hovertemplate="%{text}<br>%{x:$,.0f}: %{y:.3f}<extra></extra>",
            )
        )
    figure.add_trace(
        go.Scatter(
            x=[it.cost_usd for it in front],
            y=[it.outlook.coherence for it in front],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [it.outlook.high - it.outlook.coherence for it in front],
                "arrayminus": [it.outlook.coherence - it.outlook.low for it in front],
                "thickness": 1,
            },
            mode="lines+markers",
            name="Pareto front, with its 95 % interval",
            line={"color": COLOURS[3], "shape": "hv", "width": 2.5},
            hoverinfo="skip",
        )
    )
    measured = [it for it in everything.values() if it.measured]
    if measured:
        figure.add_trace(
            go.Scatter(
                x=[_known_usd(it) for it in measured],
                y=[it.measured.coherence for it in measured if it.measured],
                mode="markers",
                name="measured, in the emulated twin",
                marker={"color": COLOURS[1], "symbol": "diamond-open", "size": 12},
            )
        )
    figure.add_hline(
        y=plan.target, line={"color": INK, "width": 1, "dash": "dash"}, annotation_text="target"
    )
    return figure_html(
        figure,
        420,
        name="cost and coherence",
        xaxis={"title": "US dollars", "tickprefix": "$", "rangemode": "tozero"},
        yaxis={"title": "coherence", "range": [0, 1.05]},
    )


def tornado(plan: Plan, advised: Choice) -> str:
    """Return an HTML fragment: how far each assumption moves what the advised set is worth."""
    import plotly.graph_objects as go

    whole = [it for it in plan.swings if it.low is not None and it.high is not None]
    if not whole:
        return ""
    figure = go.Figure()
    names = [it.assumption for it in reversed(whole)]
    centre = plan.value
    for side, colour, pattern in (("low", COLOURS[0], ""), ("high", COLOURS[1], "/")):
        figure.add_trace(
            go.Bar(
                y=names,
                x=[getattr(it, side) - centre for it in reversed(whole)],
                base=centre,
                orientation="h",
                name="lower" if side == "low" else "higher",
                text=[getattr(it, f"{side}_says") for it in reversed(whole)],
                textposition="auto",
                marker={"color": colour, "pattern": {"shape": pattern}},
            )
        )
    title = "US dollars a day, net of cost" if earns(plan) else "coherence"
    return figure_html(
        figure,
        120 + 44 * len(whole),
        name="what the answer hangs on",
        first=False,
        barmode="overlay",
        xaxis={"title": f"{advised.name[:60]}: {title}"},
        yaxis={"automargin": True},
    )


def _known_usd(choice: Choice) -> float:
    return choice.known_usd
