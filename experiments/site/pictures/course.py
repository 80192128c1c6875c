"""How a run goes: what is done, in order, and coherence as the demo found it."""

from __future__ import annotations

from experiments.site.pictures.demo import PHASES, REFERENCE_STEPS, STEPS
from experiments.site.pictures.drawing import Drawing

_LEFT, _RIGHT = 150, 600
_TOP, _BOTTOM = 70, 230


def course() -> str:
    """Return the picture."""
    drawing = Drawing(
        740,
        340,
        "A run builds the network and calibrates it, trains a reference with every span as good as "
        "a campus, ages the spans, upgrades them one after the other, measures them again, and "
        "gives a verdict. Coherence goes from 1 to 0.15, 0.51 and 0.98.",
    )
    drawing.text((0, 20), "One run of the demo, step by step", bold=True)
    _before_and_after(drawing)
    phases = [("reference", 0, REFERENCE_STEPS - 1, 1.0)]
    phases += [
        (it.name.removesuffix(" upgraded"), it.first, it.last, it.coherence) for it in PHASES
    ]
    for name, first, last, value in phases:
        start, end = _x(first), _x(last + 1)
        drawing.box((start + 1, _TOP), end - start - 2, _BOTTOM - _TOP, fill="tint")
        drawing.line([(start + 1, _y(value)), (end - 1, _y(value))], colour="main", width=4)
        above = value < 0.9
        drawing.text(
            ((start + end) / 2, _y(value) + (-10 if above else 22)),
            f"{value:.2f}" if name != "reference" else "1",
            anchor="middle",
            bold=True,
        )
    marks = (
        (REFERENCE_STEPS, "spans age", 0),
        (PHASES[1].first - 1, "upgrade north-south", 1),
        (PHASES[2].first, "upgrade south-east", 0),
    )
    for step, words, row in marks:
        drawing.line([(_x(step), _TOP - 14), (_x(step), _BOTTOM + 6)], colour="bad", dashed=True)
        drawing.text((_x(step) + 4, _TOP - 8 - 16 * row), words, size=12, colour="bad")
    for step in (0, REFERENCE_STEPS, PHASES[1].first - 1, PHASES[2].first, STEPS):
        drawing.text((_x(step), _BOTTOM + 22), str(step), size=12, anchor="middle", colour="quiet")
    drawing.text((_x(STEPS / 2), _BOTTOM + 40), "step", size=12, anchor="middle", colour="quiet")
    _watched(drawing)
    return drawing.svg()


def _before_and_after(drawing: Drawing) -> None:
    """Draw what is done before the first step and after the last."""
    for left, lines in (
        (0, ("build the", "network,", "calibrate,", "measure", "every span")),
        (_RIGHT + 14, ("measure", "every span", "again,", "write the", "result")),
    ):
        drawing.box((left, _TOP), 126, _BOTTOM - _TOP, edge="line")
        for row, words in enumerate(lines):
            drawing.text((left + 63, _TOP + 42 + row * 22), words, anchor="middle")
    drawing.arrow((128, (_TOP + _BOTTOM) / 2), (_LEFT - 3, (_TOP + _BOTTOM) / 2))
    drawing.arrow((_RIGHT + 2, (_TOP + _BOTTOM) / 2), (_RIGHT + 12, (_TOP + _BOTTOM) / 2))


def _watched(drawing: Drawing) -> None:
    """Draw what goes on all the time, and what comes of it."""
    drawing.box((0, 288), _RIGHT - 2, 36, edge="line")
    watched = "watched all the time: delay, loss and rate of spans, drops, processors, clocks"
    drawing.text((_RIGHT / 2, 311), watched, size=13, anchor="middle")
    drawing.box((_RIGHT + 14, 288), 126, 36, edge="good")
    drawing.text((_RIGHT + 77, 311), "verdict: faithful?", size=13, anchor="middle")
    drawing.arrow((_RIGHT, 306), (_RIGHT + 12, 306))
    drawing.arrow((_RIGHT + 77, _BOTTOM + 4), (_RIGHT + 77, 286))


def _x(step: float) -> float:
    return _LEFT + step / STEPS * (_RIGHT - _LEFT)


def _y(coherence: float) -> float:
    return _BOTTOM - 12 - coherence * (_BOTTOM - _TOP - 24)
