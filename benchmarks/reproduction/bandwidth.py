"""The bandwidth that strategies need, beside Table 4 of Streaming DiLoCo."""

from __future__ import annotations

from pathlib import Path

from benchmarks import published
from benchmarks.reproduction.chart import Chart, Line
from benchmarks.reproduction.found import measured, rows, verdicts
from benchmarks.reproduction.required import Seen, needed_bps
from benchmarks.scoreboard import Table

CAPTION = "Utilisation over rate"
MODEL = "1B"
METHODS = {
    "bandwidth-data-parallel": "data-parallel",
    "bandwidth-diloco": "DiLoCo H=100",
    "bandwidth-streaming": "streaming+overlap",
    "bandwidth-streaming-fp4": "streaming+overlap+FP4",
}
"""By sweep, the method's name in the table."""
SHARES = (50, 80, 90, 95, 99)
GRID = 1.206
"""Published rates stand on a logarithmic grid of this ratio."""

QUESTION = """
    with halves as (
        select rate_bps, coherence, verdict, 2 * (step - from_step) // (to_step - from_step + 1)
            as half, sum(declared_ns) as computed, sum(exposed_communication_ns) as waited
        from steps join points using (folder)
        where step between from_step and to_step group by all)
    select rate_bps, coherence, verdict, sum(computed) / sum(computed + waited) as utilisation,
        min(computed / (computed + waited)) as least, max(computed / (computed + waited)) as most
    from halves group by all order by rate_bps"""
"""Communication that computing hid costs nothing; whatever else a rank waited for does."""


def tables(runs: Path) -> list[Table]:
    """Return what utilisation needs, and what was measured."""
    needs = Table(["method", *(f"{share} %" for share in SHARES)])
    seen = Table(["method", "Gbit/s", "utilisation", "of each half", "verdict"])
    for sweep in measured(runs, *METHODS):
        method = METHODS[sweep]
        found = rows(runs, sweep, QUESTION)
        wanted = table_4(method)
        cells = []
        for share in SHARES:
            ours = needed_bps(
                [Seen(it["rate_bps"], it["utilisation"]) for it in found], share / 100
            )
            told = "-" if ours is None else f"{ours / 1e9:.3g}"
            cells.append(f"{told} ({wanted[share]:g})")
        needs.rows.append([method, *cells])
        for it in found:
            utilisation = it["utilisation"]
            halves = f"{it['least']:.3f}, {it['most']:.3f}"
            rate = f"{it['rate_bps'] / 1e9:g}"
            seen.rows.append([method, rate, f"{utilisation:.3f}", halves, it["verdict"]])
    return [needs, seen] if seen.rows else []


def table_4(method: str) -> dict[int, float]:
    """Return the published Gbit/s of a method by utilisation in per cent."""
    (row,) = (
        it for it in published.texts("bandwidth") if (it["model"], it["method"]) == (MODEL, method)
    )
    return {share: float(row[f"u{share}"]) for share in SHARES}


def chart(runs: Path) -> Chart:
    """Return utilisation over the rate, and the published points."""
    lines = []
    for number, (sweep, method) in enumerate(METHODS.items()):
        found = rows(runs, sweep, QUESTION) if measured(runs, sweep) else []
        points = [(it["rate_bps"] / 1e9, it["utilisation"]) for it in found]
        lines.append(Line(method, points, like=number))
    for number, method in enumerate(METHODS.values()):
        points = [(rate, share / 100) for share, rate in table_4(method).items()]
        lines.append(Line(f"{method}, published", points, marks=True, like=number))
    ticks = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)
    levels = (0, 0.2, 0.4, 0.6, 0.8, 1)
    return Chart("rate of the span, Gbit/s", "compute utilisation", ticks, levels, lines)


def remark(runs: Path) -> str:
    """Say how the emulations were judged."""
    return verdicts(runs, *METHODS)
