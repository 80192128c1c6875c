"""A chart of lines and marks over a logarithmic axis, as SVG. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 780, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 270, 20, 50
DASHES = ("", "8 4", "2 4", "8 4 2 4", "12 3", "4 2")
INKS = ("#0b4f8a", "#b3501e", "#2e7d32", "#6a3d9a", "#8c6d00", "#444444")
"""Lines are told apart by their dashes, too."""


@dataclass(frozen=True)
class Line:
    """A named row of points; ``marks`` alone where they were published, joined where measured."""

    name: str
    points: Sequence[tuple[float, float]]
    marks: bool = False
    like: int | None = None


@dataclass(frozen=True)
class Chart:
    """Lines over x, which is logarithmic, and y, which is where ``log_y`` says so.

    Attributes:
        ticks, levels: of x and y; the outermost are the ends.
    """

    x: str
    y: str
    ticks: Sequence[float]
    levels: Sequence[float]
    lines: Sequence[Line]
    log_y: bool = False

    def svg(self) -> str:
        """Return the picture."""
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            'font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        ]
        for tick in self.ticks:
            x = self._x(tick)
            parts.append(_line([(x, TOP), (x, HEIGHT - BOTTOM)], "#ddd"))
            parts.append(_text(x, HEIGHT - BOTTOM + 18, f"{tick:g}", "middle"))
        for level in self.levels:
            y = self._y(level)
            parts.append(_line([(LEFT, y), (WIDTH - RIGHT, y)], "#ddd"))
            parts.append(_text(LEFT - 8, y + 4, f"{level:g}", "end"))
        middle = (LEFT + WIDTH - RIGHT) / 2
        parts.append(_text(middle, HEIGHT - 12, self.x, "middle"))
        turn = f' transform="rotate(-90 16 {(TOP + HEIGHT - BOTTOM) / 2})"'
        parts.append(_text(16, (TOP + HEIGHT - BOTTOM) / 2, self.y, "middle", turn))
        for number, line in enumerate(it for it in self.lines if it.points):
            parts += self._drawn(number, line)
        return "\n".join([*parts, "</svg>"]) + "\n"

    def _drawn(self, number: int, line: Line) -> list[str]:
        style = number if line.like is None else line.like
        ink, dashes = INKS[style % len(INKS)], DASHES[style % len(DASHES)]
        points = [(self._x(x), self._y(y)) for x, y in line.points]
        legend = TOP + 12 + 20 * number
        at = WIDTH - RIGHT + 12
        key = [(at, legend), (at + 26, legend)]
        parts = [_text(at + 32, legend + 4, line.name, "start")]
        if line.marks:
            parts += [_cross(x, y, ink) for x, y in [*points, (at + 13, legend)]]
        else:
            parts += [_line(points, ink, dashes, 2), _line(key, ink, dashes, 2)]
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{ink}"/>' for x, y in points]
        return parts

    def _x(self, value: float) -> float:
        return LEFT + (WIDTH - RIGHT - LEFT) * _share(value, self.ticks, log=True)

    def _y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * _share(value, self.levels, self.log_y)


def _share(value: float, ends: Sequence[float], log: bool) -> float:
    low, high = min(ends), max(ends)
    if log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _line(points: Sequence[tuple[float, float]], ink: str, dashes: str = "", width: int = 1) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{path}" fill="none" stroke="{ink}" stroke-width="{width}"{dashed}/>'


def _cross(x: float, y: float, ink: str) -> str:
    arms = [[(x - 5, y - 5), (x + 5, y + 5)], [(x - 5, y + 5), (x + 5, y - 5)]]
    return "".join(_line(arm, ink, width=2) for arm in arms)


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(text)}</text>'
