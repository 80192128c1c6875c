"""A picture as SVG whose colours are the page's, light or dark. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

ALONE = """\
<style>
svg { --ink: #1b2430; --quiet: #5b6675; --line: #9aa5b1; --tint: #eef2f6; --paper: #fff;
  --good: #00795a; --bad: #b44a00; --main: #0072b2 }
@media (prefers-color-scheme: dark) { svg { --ink: #e6edf3; --quiet: #a9b4c0; --line: #66717d;
  --tint: #222b34; --paper: #0d1117; --good: #2fc79a; --bad: #ff9147; --main: #5fb8f0 } }
</style>
"""
"""Colours of a picture that stands alone; on the site, assets/site.css has them."""
FONT = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', sans-serif"

Point = tuple[float, float]


class Drawing:
    """Shapes in a coordinate system of their own, y downwards; colours by name, such as ``ink``."""

    def __init__(self, width: int, height: int, about: str) -> None:
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            f'aria-label="{escape(about)}" font-family="{escape(FONT)}">\n'
        )
        self._shapes: list[str] = []

    def text(
        self,
        at: Point,
        words: str,
        *,
        size: float = 14,
        colour: str = "ink",
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        """Write one line; ``at`` is on its base line, at its ``anchor``."""
        weight = ' font-weight="600"' if bold else ""
        place = f'x="{at[0]:.5g}" y="{at[1]:.5g}" text-anchor="{anchor}"'
        self._add(
            f'<text {place} font-size="{size:g}"{weight} '
            f'style="fill:var(--{colour})">{escape(words)}</text>'
        )

    def box(
        self,
        corner: Point,
        width: float,
        height: float,
        *,
        fill: str = "tint",
        edge: str | None = None,
        round_: float = 4,
    ) -> None:
        """Draw a rectangle from its upper left corner."""
        stroke = f"stroke:var(--{edge});stroke-width:1.5" if edge else "stroke:none"
        place = f'x="{corner[0]:.5g}" y="{corner[1]:.5g}"'
        self._add(
            f'<rect {place} width="{width:.5g}" height="{height:.5g}" '
            f'rx="{round_:g}" style="fill:var(--{fill});{stroke}"/>'
        )

    def line(
        self,
        points: Iterable[Point],
        *,
        colour: str = "line",
        width: float = 1.5,
        dashed: bool = False,
    ) -> None:
        """Draw a line through points."""
        path = " ".join(f"{x:.5g},{y:.5g}" for x, y in points)
        dashes = ";stroke-dasharray:6 4" if dashed else ""
        self._add(
            f'<polyline points="{path}" style="fill:none;stroke:var(--{colour});'
            f'stroke-width:{width:g};stroke-linejoin:round{dashes}"/>'
        )

    def arrow(self, start: Point, end: Point, *, colour: str = "quiet") -> None:
        """Draw a straight arrow, level or upright."""
        (x0, y0), (x1, y1) = start, end
        along_x, along_y = (x1 > x0) - (x1 < x0), (y1 > y0) - (y1 < y0)
        self.line([start, end], colour=colour)
        back = (x1 - 7 * along_x, y1 - 7 * along_y)
        wings = [(back[0] + side * 4 * along_y, back[1] + side * 4 * along_x) for side in (-1, 1)]
        path = " ".join(f"{x:.5g},{y:.5g}" for x, y in (wings[0], end, wings[1]))
        self._add(f'<polygon points="{path}" style="fill:var(--{colour})"/>')

    def disc(self, centre: Point, radius: float, *, fill: str) -> None:
        """Draw a filled circle."""
        self._add(
            f'<circle cx="{centre[0]:.5g}" cy="{centre[1]:.5g}" r="{radius:g}" '
            f'style="fill:var(--{fill})"/>'
        )

    def svg(self) -> str:
        """Return the picture as a file that stands alone."""
        return self._head + ALONE + "\n".join(self._shapes) + "\n</svg>\n"

    def _add(self, shape: str) -> None:
        self._shapes.append(shape)
