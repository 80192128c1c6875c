"""Efficiency across sites against their distance, beside published systems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import published
from benchmarks.reproduction.chart import Chart, Line
from benchmarks.reproduction.found import Interval, measured, rows, verdicts
from benchmarks.scoreboard import Table

CAPTION = "Coherence over kilometres"
NS_PER_KM = 4900
SWEEPS = ("distance-ddp", "distance-diloco", "distance-windows", "intellect-1")
BACKWARD_S, RATE_BPS = 2 / 3, 400e9
"""Of the scenario's step of 1 s, and the rate of its spans."""
LOCAL = "INTELLECT-1"

_COLUMNS = "coherence, coherence_low as low, coherence_high as high, verdict from points"


def tables(runs: Path) -> list[Table]:
    """Return coherence by distance, and INTELLECT-1's efficiencies."""
    series = _series(runs)
    kms = sorted({km for found in series.values() for km in found})
    ours = Table(["", *(f"{km:,} km" for km in kms)])
    for name, found in series.items():
        cells = [found[km].text(2) if km in found else "-" for km in kms]
        ours.rows.append([name, *cells])
    local = Table(["INTELLECT-1", "rate, Gbit/s", "coherence", "published"])
    three = _asked(runs, SWEEPS[3], f"select rate_bps, {_COLUMNS} order by rate_bps desc")
    systems = [it for it in published.texts("efficiency") if it["system"].startswith(LOCAL)]
    for it, system in zip(three, systems, strict=bool(three)):
        where = system["system"].removeprefix(LOCAL).strip(" ()")
        rate = f"{it['rate_bps'] / 1e9:.3g}"
        local.rows.append([where, rate, _interval(it).text(3), system["least"]])
    return [table for table in (ours, local) if table.rows]


def chart(runs: Path) -> Chart:
    """Return coherence over kilometres, and the published points that state theirs."""
    lines = [
        Line(name, [(km, it.value) for km, it in sorted(found.items())])
        for name, found in _series(runs).items()
    ]
    points = [
        (float(it["distance_km"]), float(it["least"]))
        for it in published.texts("efficiency")
        if it["distance_km"]
    ]
    lines.append(Line("published, at least", points, marks=True, like=5))
    ticks = (100, 300, 1000, 3000, 10_000)
    return Chart("km of fibre", "coherence", ticks, (0, 0.2, 0.4, 0.6, 0.8, 1), lines)


def remark(runs: Path) -> str:
    """Say how the emulations were judged."""
    return verdicts(runs, *SWEEPS)


def _series(runs: Path) -> dict[str, dict[int, Interval]]:
    """Return coherence by what was varied, and by kilometres."""
    found: dict[str, dict[int, Interval]] = {}
    question = f"select gradients_bytes, delay_ns, {_COLUMNS} order by all"
    for it in _asked(runs, SWEEPS[0], question):
        share = 8 * it["gradients_bytes"] / RATE_BPS / BACKWARD_S
        name = f"ddp, {share:.2f} of backward"
        found.setdefault(name, {})[_km(it)] = _interval(it)
    for it in _asked(runs, SWEEPS[2], f"select network_window, delay_ns, {_COLUMNS} order by all"):
        name = f"ddp, 0.33, window {int(it['network_window'].split()[0]) / 1024:.0f} KiB"
        found.setdefault(name, {})[_km(it)] = _interval(it)
    for it in _asked(runs, SWEEPS[1], f"select delay_ns, {_COLUMNS}"):
        found.setdefault("diloco every 10, 0.33", {})[_km(it)] = _interval(it)
    return found


def _asked(runs: Path, sweep: str, question: str) -> list[dict[str, Any]]:
    return rows(runs, sweep, question) if measured(runs, sweep) else []


def _km(row: dict[str, Any]) -> int:
    return round(int(row["delay_ns"]) / NS_PER_KM)


def _interval(row: dict[str, Any]) -> Interval:
    return Interval(row["coherence"], row["low"], row["high"])
