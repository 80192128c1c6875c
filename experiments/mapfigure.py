"""The report's map of campuses and spans."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from experiments.changes import Change
from experiments.figuredata import csv_rows
from experiments.maplayout import map_of
from experiments.pages import COLOURS, INK, QUIET
from experiments.scenario import Scenario
from topologies.linkstate import LinkState
from topologies.units import render

WIDTH, HEIGHT, MARGIN = 640.0, 420.0, 90.0
CAMPUS_PX, NAME_PX, DETAIL_PX = 10.5, 8.4, 7.0
"""What a character takes of a campus's name, of a span's, and of what is said of it."""
RADIUS = 24.0
ALONG = (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74)
"""Where along its line a span's label may stand, the best place first."""
ASIDE = ((0, 0), (1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1))
"""On its line, else to the right of it, to the left, above, below, and between these."""
BESIDE = 10.0
"""How far from its line, where it does not stand on it."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """Room that something takes."""

    left: float
    top: float
    right: float
    bottom: float

    def shared(self, other: Box) -> float:
        """Return the area that both take."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, wide) * max(0.0, high)


def map_svg(scenario: Scenario, changes: Sequence[Change]) -> str:
    """Return the map as an SVG element: distances follow the routes, widths the rates."""
    plan = map_of(scenario.network)
    places = _on_page(plan.campuses)
    names = {campus: (x, y - 34 if y < HEIGHT / 2 else y + 46) for campus, (x, y) in places.items()}
    taken = [Box(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in places.values()]
    taken += [_box(at, campus, CAMPUS_PX) for campus, at in names.items()]
    labels = []
    parts = [
        f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" '
        'aria-label="Map of campuses and spans" class="map">'
    ]
    for span in scenario.network.spans:
        a, b = scenario.network.ends_of(span)
        ends = _beside(places[a], places[b], plan.spans[span].bend)
        states = [change.real.worse for change in changes if change.span == span]
        parts.append(_line(ends, states[0], states[-1]))
        details = _details(scenario.network.spans[span].route, states[0], states[-1])
        labels.append(_label(ends, span, details, taken))  # over all lines
    parts += labels
    for campus, (x, y) in places.items():
        workers = scenario.network.campuses[campus].workers
        parts.append(
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{RADIUS:.0f}" fill="{INK}"/>'
            f'<text x="{x:.0f}" y="{y + 6:.0f}" class="ranks">{workers}</text>'
            f'<text x="{x:.0f}" y="{names[campus][1]:.0f}" class="campus">{campus}</text>'
        )
    return "\n".join([*parts, "</svg>"])


def spans_csv(scenario: Scenario, changes: Sequence[Change]) -> str:
    """Return what the map shows as CSV: every span, as it was at first and at last."""
    rows = []
    for span, spec in scenario.network.spans.items():
        states = [change.real.worse for change in changes if change.span == span]
        a, b = scenario.network.ends_of(span)
        row: dict[str, Any] = {"span": span, "from": a, "to": b, "route_m": spec.route}
        for when, state in (("first", states[0]), ("last", states[-1])):
            row |= {f"{when}_rate_bps": state.rate_bps, f"{when}_delay_ns": state.delay_ns}
            row[f"{when}_loss"] = state.mean_loss
        rows.append(row)
    return csv_rows(rows)


def _on_page(campuses: Mapping[str, Point]) -> dict[str, Point]:
    """Return where campuses stand on the page, of which they take as much as they can."""
    xs, ys = [x for x, _ in campuses.values()], [y for _, y in campuses.values()]
    width, height = max(xs) - min(xs) or 1.0, max(ys) - min(ys) or 1.0
    scale = min((WIDTH - 2 * MARGIN) / width, (HEIGHT - 2 * MARGIN) / height)
    middle_x, middle_y = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    return {
        name: (WIDTH / 2 + (x - middle_x) * scale, HEIGHT / 2 - (y - middle_y) * scale)
        for name, (x, y) in campuses.items()
    }


def _beside(a: Point, b: Point, bend: int) -> tuple[Point, Point]:
    """Return the ends of a span's line, which lies beside others between the same campuses."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    norm = math.hypot(dx, dy) or 1.0
    x, y = -dy / norm * 16.0 * bend, dx / norm * 16.0 * bend
    return (a[0] + x, a[1] + y), (b[0] + x, b[1] + y)


def _line(ends: tuple[Point, Point], first: LinkState, last: LinkState) -> str:
    """Draw a span from its first state (thin, dashed where lossy) to its last."""
    (x1, y1), (x2, y2) = ends
    line = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    dashed = ' stroke-dasharray="10 5"' if first.loss else ""
    width, colour, parts = _width(first), QUIET, []
    if first != last:
        band, colour = _width(last) + 5, COLOURS[1]
        parts.append(f'<line {line} stroke="#009E73" opacity=".35" stroke-width="{band:.1f}"/>')
    parts.append(f'<line {line} stroke="{colour}" stroke-width="{width:.1f}"{dashed}/>')
    return "\n".join(parts)


def _details(route_m: int | None, first: LinkState, last: LinkState) -> str:
    """Say how long a span is, and what it was at first and in the end."""
    rate = render(first.rate_bps, "rate")
    if last.rate_bps != first.rate_bps:
        rate += f" → {render(last.rate_bps, 'rate')}"
    details = f"{route_m / 1000:g} km, {rate}" if route_m else rate
    if first.loss:
        details += f", loss {first.mean_loss:.1g}" + ("" if last.loss else " → 0")
    return details


def _label(ends: tuple[Point, Point], span: str, details: str, taken: list[Box]) -> str:
    """Return a span's label where it covers the least of what is taken, and take that."""
    (x1, y1), (x2, y2) = ends
    width = max(NAME_PX * len(span), DETAIL_PX * len(details))

    def box(place: tuple[tuple[int, int], float]) -> Box:
        (right, down), share = place
        x = x1 + share * (x2 - x1) + right * (width / 2 + BESIDE)
        y = y1 + share * (y2 - y1) + down * (17 + BESIDE)
        x = min(max(x, width / 2), WIDTH - width / 2)
        return Box(x - width / 2, y - 17, x + width / 2, y + 17)

    places = map(box, product(ASIDE, ALONG))
    best = min(places, key=lambda it: sum(it.shared(other) for other in taken))
    taken.append(best)
    x, y = (best.left + best.right) / 2, (best.top + best.bottom) / 2
    return (
        f'<text x="{x:.0f}" y="{y - 4:.0f}" class="span">{span}</text>'
        f'<text x="{x:.0f}" y="{y + 13:.0f}" class="detail">{details}</text>'
    )


def _box(at: Point, text: str, character_px: float) -> Box:
    """Return the room of a line of text whose foot's middle is there."""
    (x, y), half = at, character_px * len(text) / 2
    return Box(x - half, y - 14, x + half, y + 4)


def _width(state: LinkState) -> float:
    """Return a line width in pixels that grows with the logarithm of the rate."""
    return max(1.5, 2.0 * math.log10(state.rate_bps / 1e9) + 2.0)
