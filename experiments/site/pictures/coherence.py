"""What coherence is: steps of the demo to scale, and the classes."""

from __future__ import annotations

from experiments.coherence import COHERENT, DEGRADED
from experiments.site.pictures.demo import COMPUTE_MS, PHASES, REFERENCE_MS
from experiments.site.pictures.drawing import Drawing

_LEFT, _RIGHT, _SHOWN_MS = 190, 720, 3000.0


def coherence() -> str:
    """Return the picture."""
    drawing = Drawing(
        740,
        330,
        "A step on one campus takes 446 ms. Over the aged spans it takes 2905 ms, of which all but "
        "400 is waiting for the network: coherence 0.15. After both upgrades it takes 452 ms.",
    )
    drawing.text((0, 20), "One step, on the emulated clock", bold=True)
    rows = [
        ("on one campus", REFERENCE_MS, 1.0),
        *((it.name, it.step_ms, it.coherence) for it in PHASES),
    ]
    for index, (name, step_ms, value) in enumerate(rows):
        top = 36 + index * 40
        wide = (_RIGHT - _LEFT) / _SHOWN_MS
        drawing.text((_LEFT - 10, top + 19), name, anchor="end")
        drawing.box((_LEFT, top), COMPUTE_MS * wide, 28, fill="main")
        drawing.box(
            (_LEFT + COMPUTE_MS * wide, top),
            (step_ms - COMPUTE_MS) * wide,
            28,
            fill="bad",
            round_=2,
        )
        label = f"{step_ms:.0f} ms" + (f" · coherence {value:.2f}" if index else " · the reference")
        if step_ms * wide > (_RIGHT - _LEFT) / 2:
            drawing.text(
                (_LEFT + step_ms * wide - 10, top + 19), label, colour="paper", anchor="end"
            )
        else:
            drawing.text((_LEFT + step_ms * wide + 10, top + 19), label)
    drawing.box((_LEFT, 206), 14, 14, fill="main")
    drawing.text((_LEFT + 20, 218), "computing", size=13, colour="quiet")
    drawing.box((_LEFT + 110, 206), 14, 14, fill="bad")
    drawing.text((_LEFT + 130, 218), "waiting for gradients to cross", size=13, colour="quiet")
    _classes(drawing)
    return drawing.svg()


def _classes(drawing: Drawing) -> None:
    """Draw the scale from 0 to 1 with its classes, and where the demo's phases lie."""
    wide, top = _RIGHT - _LEFT, 276
    edges = [(0.0, DEGRADED, "incoherent", "bad"), (DEGRADED, COHERENT, "degraded", "line")]
    for low, high, name, fill in (*edges, (COHERENT, 1.0, "coherent", "good")):
        drawing.box((_LEFT + low * wide, top), (high - low) * wide - 2, 10, fill=fill, round_=2)
        anchor, x = ("end", 1.0) if high == 1.0 else ("middle", (low + high) / 2)
        drawing.text((_LEFT + x * wide, top + 28), name, size=13, anchor=anchor, colour="quiet")
    drawing.text((_LEFT - 10, top + 10), "coherence", anchor="end")
    for value in (0.0, DEGRADED, COHERENT):
        drawing.text(
            (_LEFT + value * wide, top + 46), f"{value:g}", size=12, anchor="middle", colour="quiet"
        )
    for phase in PHASES:
        x = _LEFT + phase.coherence * wide
        drawing.disc((x, top + 5), 6, fill="ink")
        drawing.text((x, top - 10), f"{phase.coherence:.2f}", size=13, anchor="middle", bold=True)
