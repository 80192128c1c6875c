"""How long a black hole stalls a step, beside what was measured before."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from benchmarks import published
from benchmarks.reproduction.chart import Chart, Line
from benchmarks.reproduction.found import Interval, rows, verdicts
from benchmarks.scoreboard import Table
from experiments.statistics.student import student_quantile

CAPTION = "Stall over the length of outages"
SWEEP = "outages"

QUESTION = """
    with ends as (
        select folder, step, max(end_ns) as end_ns from steps group by all),
    took as (
        select folder, step, (end_ns - lag(end_ns) over (partition by folder order by step)) / 1e9
            as s from ends),
    usual as (
        select folder, median(s) as s from took where step > 4 group by all)
    select timeline_0_for_ns / 1e9 as outage_s, repetition, max(took.s) - any_value(usual.s)
        as stall_s
    from took join usual using (folder)
        join (select distinct folder, timeline_0_for_ns, repetition from points) using (folder)
    where step > 4
    group by all order by all"""
"""A span that goes down just after a step began may hold that one up, or the next."""


def tables(runs: Path) -> list[Table]:
    """Return stalls by the outage's length."""
    before = {it["outage_s"]: it["stall_s"] for it in published.rows("outage")}
    table = Table(
        ["outage, s", "stalls, s", "mean (95 %)", "over the outage", "published", "error"]
    )
    for outage_s, stalls in _stalls(runs).items():
        mean = mean_of(stalls)
        was = before.get(outage_s)
        error = f"{100 * (mean.value / was - 1):+.0f} %" if was else None
        each = ", ".join(f"{it:.2f}" for it in stalls)
        ratio = f"{mean.value / outage_s:.2f}"
        table.rows.append([f"{outage_s:g}", each, mean.text(2), ratio, was, error])
    return [table]


def mean_of(values: list[float]) -> Interval:
    """Return the mean of repetitions, by Student's t; of one, that alone."""
    count = len(values)
    mean = sum(values) / count
    if count < 2:
        return Interval(mean, mean, mean)
    error = (sum((it - mean) ** 2 for it in values) / (count - 1) / count) ** 0.5
    width = error * student_quantile(0.975, count - 1)
    return Interval(mean, mean - width, mean + width)


def chart(runs: Path) -> Chart:
    """Return stalls over the length of outages."""
    points = [(outage_s, stall) for outage_s, each in _stalls(runs).items() for stall in each]
    was = [(it["outage_s"] or 0, it["stall_s"] or 0) for it in published.rows("outage")]
    means = [(outage_s, mean_of(each).value) for outage_s, each in _stalls(runs).items()]
    lines = [
        Line("mean", means),
        Line("each", points, marks=True, like=0),
        Line("published", was, marks=True, like=1),
        Line("twice the outage", [(0.05, 0.1), (10, 20)], like=5),
    ]
    ticks = levels = (0.05, 0.2, 0.5, 1, 2, 5, 10, 20)
    return Chart("outage, s", "stall of the step, s", ticks, levels, lines, True)


def remark(runs: Path) -> str:
    """Say how the emulations were judged."""
    return verdicts(runs, SWEEP)


def _stalls(runs: Path) -> dict[float, list[float]]:
    found: defaultdict[float, list[float]] = defaultdict(list)
    for it in rows(runs, SWEEP, QUESTION):
        found[it["outage_s"]].append(it["stall_s"])
    return dict(found)
