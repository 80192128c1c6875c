"""A span's life: from years to frames lost, as the ageing model has it for the demo's oldest."""

from __future__ import annotations

import math
from pathlib import Path

from experiments.explain import AtAge, explanation_of
from experiments.scenario import load_scenario
from experiments.site.pictures.drawing import Drawing, Point

SPAN = "north-south"
YEARS, DECADES = 60.0, 12
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 720, 130, 370
_CHAIN = ("years", "cable cuts", "repairs", "less light", "bit errors", "lost frames")


def life(scenario: Path) -> str:
    """Return the picture, of a span of that scenario file."""
    loaded = load_scenario(scenario)
    explanation = explanation_of(loaded, SPAN)
    route_km = (loaded.network.spans[SPAN].route or 0) / 1000
    drawing = Drawing(
        740,
        420,
        "Years bring cable cuts, cuts bring repairs, repairs take light, less light makes bit "
        "errors, and those lose frames: without error correction ever more, with it none and then "
        "all.",
    )
    for index, name in enumerate(_CHAIN):
        x = index * 124
        drawing.box((x, 6), 100, 36, edge="line")
        drawing.text((x + 50, 29), name, anchor="middle")
        if index:
            drawing.arrow((x - 22, 24), (x - 3, 24))
    drawing.text(
        (558, 62), "error correction hides them,", size=12, anchor="middle", colour="quiet"
    )
    drawing.text((558, 77), "until it cannot", size=12, anchor="middle", colour="quiet")
    drawing.text((0, 108), f"Share of frames lost over {route_km:g} km of 10G, by age", bold=True)
    _axes(drawing)
    for curve, colour, name, at in (
        (explanation.life, "bad", "without error correction", (_x(23), _y(2e-3))),
        (explanation.other_life, "main", "with G.709", (_x(42), _y(1e-9))),
    ):
        drawing.line(_points(curve), colour=colour, width=3)
        drawing.text(at, name, colour=colour, bold=True)
    age = explanation.age_years
    now = next(it for it in explanation.life if it.years >= age)
    drawing.disc((_x(age), _y(now.loss)), 6, fill="ink")
    drawing.text((_x(age) + 12, _y(now.loss) + 18), f"the demo's span, {age:g} years", size=13)
    return drawing.svg()


def _axes(drawing: Drawing) -> None:
    for decade in range(0, DECADES + 1, 3):
        y = _y(10.0**-decade)
        drawing.line([(_LEFT, y), (_RIGHT, y)], width=0.8)
        label = f"1e-{decade}" if decade else "all"
        drawing.text((_LEFT - 10, y + 5), label, size=12, anchor="end", colour="quiet")
    for years in range(0, round(YEARS) + 1, 10):
        label = f"{years} years" if years == YEARS else str(years)
        anchor = "end" if years == YEARS else "middle"
        drawing.text((_x(years), _BOTTOM + 22), label, size=12, anchor=anchor, colour="quiet")
    drawing.text((_LEFT - 10, _BOTTOM + 22), "age", size=12, anchor="end", colour="quiet")


def _points(curve: tuple[AtAge, ...]) -> list[Point]:
    return [(_x(it.years), _y(it.loss if it.up else 1.0)) for it in curve]


def _x(years: float) -> float:
    return _LEFT + years / YEARS * (_RIGHT - _LEFT)


def _y(loss: float) -> float:
    decades = -math.log10(max(loss, 10.0**-DECADES))
    return _TOP + decades / DECADES * (_BOTTOM - _TOP)
