"""The similarity scaling: the demo's real system beside its twin."""

from __future__ import annotations

from fractions import Fraction

from experiments.site.pictures.drawing import Drawing
from topologies.units import parse, render

BYTES, TIME = Fraction(1, 250), Fraction(4)
_REAL = (
    ("gradients of a step", "500 MB", "size", BYTES),
    ("computing of a step", "100 ms", "duration", TIME),
    ("delay of 70 km, one way", "340 us", "duration", TIME),
    ("a new wave", "400 Gbit/s", "rate", BYTES / TIME),
    ("an outage", "50 ms", "duration", TIME),
)
"""Of the demo: what it is, how much, of which dimension, and its scale."""
_X = (220, 400, 590)


def twin() -> str:
    """Return the picture."""
    drawing = Drawing(
        740,
        350,
        "The real system and its emulated twin: bytes 1/250, time times 4, rates 1/1000. "
        "A step takes four times as long, and coherence is the same.",
    )
    for x, title in zip(_X, ("real system", "scale", "emulated twin"), strict=True):
        drawing.text((x + 60, 20), title, anchor="middle", bold=True)
    drawing.box((_X[0], 32), 120, 150, edge="main", fill="tint")
    drawing.box((_X[2], 32), 120, 150, edge="main", fill="tint")
    for row, (name, real, dimension, scale) in enumerate(_REAL):
        y = 56 + row * 28
        emulated = render(parse(real, dimension) * float(scale), dimension)
        factor = f"× {scale}" if scale >= 1 else f"× {scale.numerator}/{scale.denominator}"
        drawing.text((_X[0] - 16, y), name, anchor="end")
        drawing.text((_X[0] + 60, y), real, anchor="middle")
        drawing.text((_X[1] + 60, y), factor, anchor="middle", colour="quiet")
        drawing.text((_X[2] + 60, y), emulated, anchor="middle")
        drawing.arrow((_X[0] + 124, y - 5), (_X[1] + 14, y - 5))
        drawing.arrow((_X[1] + 106, y - 5), (_X[2] - 4, y - 5))
    _steps(drawing)
    return drawing.svg()


def _steps(drawing: Drawing) -> None:
    """Draw a step of each on one clock: alike, four times as long."""
    left, wide = 116, 600.0
    drawing.text((0, 216), "Three steps of each, on one clock", bold=True)
    for top, name, length in ((232, "real", wide / 12), (272, "twin", wide / 3)):
        drawing.text((left - 16, top + 19), name, anchor="end")
        for step in range(3):
            x = left + step * length
            drawing.box((x, top), length * 0.45 - 1, 26, fill="main", round_=2)
            drawing.box((x + length * 0.45, top), length * 0.55 - 3, 26, fill="bad", round_=2)
    drawing.text(
        (left, 322),
        "The same share is waiting, because delay, rate and bytes keep their proportions:",
        size=13,
        colour="quiet",
    )
    drawing.text((left, 341), "coherence is the same.", size=13, colour="quiet")
