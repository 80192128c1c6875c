"""What losses make of an all-reduce, beside what gloo took over real namespaces before."""

from __future__ import annotations

from pathlib import Path

from benchmarks import published
from benchmarks.reproduction.chart import Chart, Line
from benchmarks.reproduction.found import rows, verdicts
from benchmarks.scoreboard import Table

CAPTION = "All-reduce over losses"
SWEEP = "loss"
SETTLING, BEST_OF = 2, 5
"""Steps of the phase that TCP still needs, and of how many the published figure is the best."""

QUESTION = f"""
    with took as (
        select points.loss, congestion_control as tcp, step, any_value(verdict) as verdict,
            max(exposed_communication_ns - wait_ns) / 1e9 as s
        from steps join points using (folder)
        where step between from_step + {SETTLING} and from_step + {SETTLING + BEST_OF - 1}
        group by all)
    select loss, tcp, any_value(verdict) as verdict, min(s) as best_s, median(s) as median_s,
        max(s) as worst_s
    from took group by loss, tcp order by tcp, loss"""


def tables(runs: Path) -> list[Table]:
    """Return all-reduces by loss and TCP."""
    before = {row["loss"]: row for row in published.rows("allreduce_loss")}
    table = Table(["TCP", "loss", "best, s", "published", "error", "median", "worst", "verdict"])
    for it in rows(runs, SWEEP, QUESTION):
        known = before.get(it["loss"])
        was = known[f"{it['tcp']}_s"] if known else None
        error = f"{100 * (it['best_s'] / was - 1):+.0f} %" if was else None
        spread = [it["median_s"], it["worst_s"]]
        cells = [f"{it['loss']:g}", it["best_s"], was, error, *spread, it["verdict"]]
        table.rows.append([it["tcp"], *cells])
    return [table]


def chart(runs: Path) -> Chart:
    """Return all-reduces over losses; none lost is drawn at a hundred-thousandth."""
    found = rows(runs, SWEEP, QUESTION)
    lines = []
    for number, tcp in enumerate(("reno", "bbr")):
        points = [(max(it["loss"], 1e-5), it["best_s"]) for it in found if it["tcp"] == tcp]
        lines.append(Line(tcp, points, like=number))
    for number, tcp in enumerate(("reno", "bbr")):
        before = [(it["loss"] or 1e-5, it[f"{tcp}_s"] or 0) for it in _published()]
        lines.append(Line(f"{tcp}, published", before, marks=True, like=number))
    ticks, levels = (1e-5, 1e-4, 1e-3, 1e-2), (0.3, 1, 3, 10, 20)
    return Chart("share of frames lost (1e-05: none)", "all-reduce, s", ticks, levels, lines, True)


def remark(runs: Path) -> str:
    """Say how the emulations were judged."""
    return verdicts(runs, SWEEP)


def _published() -> list[dict[str, float | None]]:
    return published.rows("allreduce_loss")
