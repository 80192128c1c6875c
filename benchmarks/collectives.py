"""gloo's collectives over emulated spans, beside what they took over real namespaces before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import published
from benchmarks.planner import Silent
from benchmarks.scoreboard import Study, Table, Target
from benchmarks.training_grid import Point, Series, measure
from experiments.coherence import system_steps
from experiments.runner import run as run_scenario

STRETCH = 4
"""Spans are emulated this much slower and longer, so that the switches in user space keep up: every
round of a collective then takes so much longer."""
RATE_MBPS = 1000 / STRETCH
BYTES = 64 * 2**20
QUEUE_BYTES = 64 * 10**6
"""Of the spans: so deep that they lose nothing by it, as the relay of the figures before. With one
of the bandwidth-delay product, a ring at 2 ms takes a fifth longer."""
LOSSY_BYTES, LOSSY_MBPS, LOSSY_RTT_MS = 16 * 2**20, 300.0, 10.0
RING, HIERARCHY, LOSS, OUTAGE = 0.05, 0.10, 0.15, 0.15
"""How far from the figures before ours may lie."""
FASTER, NO_FASTER = 1.7, 1.05
"""By what a hierarchy beats a flat ring at 40 ms at the least; and at the most at 0.5 ms, where it
gains nothing."""
ALTERNATING = (0, 2, 1, 3)
STEPS, SETTLING = 7, 2
OUTAGES, OUTAGE_APART_S, OUTAGE_STEP_S = 5, 4.17, 0.45
"""How many outages of less than a second there are of a length, how far apart, and what a step
takes, at the least, so that all of them come while there is training."""
BEST_OF = 5


def run(quick: bool) -> Study:
    """Measure rings, hierarchies and losses."""
    study = Study("collectives", "Collectives over spans")
    _rings(study, quick)
    _hierarchies(study, quick)
    if not quick:
        _losses(study)
        _outages(study)
    study.remarks += [
        f"Rings and hierarchies: 64 MiB at {RATE_MBPS:g} Mbit/s, packets of 9000 B; times are "
        f"divided by {STRETCH}, by which rates and delays are stretched; median of "
        f"{STEPS - SETTLING} steps, from when the last rank had computed.",
        "Losses: 16 MiB at 300 Mbit/s, packets of 1500 B, best of five; nothing is stretched.",
        "Outages: both ways of the span lose everything, whatever a step is at; what that step "
        "takes beyond the median of all.",
    ]
    return study


def collectives(
    strategy: str,
    campuses: tuple[int, ...],
    rtts_ms: Sequence[float],
    order: tuple[int, ...] | None = None,
    **options: int,
) -> Series:
    """Return a series of all-reduces of one bucket at several round trips."""
    points = tuple(
        Point(rtt_ms * STRETCH, 0, RATE_MBPS, STEPS, SETTLING, QUEUE_BYTES) for rtt_ms in rtts_ms
    )
    return Series(
        campuses,
        strategy,
        "bbr",
        BYTES,
        2 * BYTES,
        compute_ms=400,
        points=points,
        access_bps=int(RATE_MBPS * 4e6),
        mtu=9000,
        options=options,
        order=order,
    )


def taken_ms(series: Series) -> tuple[list[list[float]], list[str]]:
    """Return what all-reduces took at each point, unstretched, and checks that failed.

    Each point has a network of its own, whose spans are in its state from the first: BBR's idea of
    a span, formed at another round trip, would outlast the steps.
    """
    took_ms, reasons = [], []
    for found, checks in measure(
        replace(series, points=(point,), reference_state=point.state(series.mtu))
        for point in series.points
    ):
        took_ms += [[1e3 * it / STRETCH for it in one.exchanges_s] for one in found]
        reasons += [
            check.reason for check in checks if not check.ok and check.name != "gradient bytes"
        ]
    return took_ms, reasons


def _compare(
    study: Study,
    caption: str,
    name: str,
    columns: dict[str, Series],
    within: float,
) -> None:
    """Measure one series for each column of a published table; add a table and a target."""
    rows = published.rows(name)
    table = Table(["round trip, ms"], caption=caption)
    errors = []
    all_ms, measured = {}, {}
    for column, series in columns.items():
        all_ms[column], failed = taken_ms(series)
        measured[column] = [median(one) for one in all_ms[column]]
        study.remarks += [f"{column}: {reason}" for reason in failed]
        table.headers += [f"{column.removesuffix('_ms').replace('_', ' ')}, ms", "before", "error"]
    for index, row in enumerate(rows):
        cells: list[object] = [row["rtt_ms"]]
        for column in columns:
            ours, before = measured[column][index], row[column]
            assert before is not None
            errors.append(ours / before - 1)
            cells += [ours, before, f"{100 * errors[-1]:+.1f} %"]
        table.rows.append(cells)
    study.tables.append(table)
    worst = 100 * max(map(abs, errors))
    study.targets.append(Target(f"{caption}: worst error", worst, 100 * within, unit="%"))
    study.raw[name] = {"median_ms": measured, "all_ms": all_ms}


def _rings(study: Study, quick: bool) -> None:
    rtts_ms = [row["rtt_ms"] or 0 for row in published.rows("ring_law")]
    columns = {"one_group_ms": collectives("ddp", (1, 1), rtts_ms)}
    if not quick:
        columns["four_groups_ms"] = collectives("parallel-groups", (1, 1), rtts_ms, connections=4)
    _compare(study, "Ring all-reduce, two ranks", "ring_law", columns, RING)


def _hierarchies(study: Study, quick: bool) -> None:
    rtts_ms = [row["rtt_ms"] or 0 for row in published.rows("hierarchy")]
    columns = {
        "flat_ms": collectives("ddp", (2, 2), rtts_ms),
        "hierarchical_ms": collectives("hierarchical", (2, 2), rtts_ms),
    }
    if not quick:
        columns["alternating_ms"] = collectives("ddp", (2, 2), rtts_ms, ALTERNATING)
    _compare(study, "All-reduce, four ranks at two sites", "hierarchy", columns, HIERARCHY)
    measured = study.raw["hierarchy"]["median_ms"]
    near, far = (
        flat / hierarchical
        for flat, hierarchical in zip(measured["flat_ms"], measured["hierarchical_ms"], strict=True)
    )
    study.targets += [
        Target("hierarchical over flat, 40 ms", far, FASTER, at_most=False, unit="times as fast"),
        Target("hierarchical over flat, 0.5 ms", near, NO_FASTER, unit="times as fast"),
    ]


def _losses(study: Study) -> None:
    rows = published.rows("allreduce_loss")
    table = Table(["loss", "TCP", "all-reduce, s", "before", "error"], caption="Losses")
    errors = []
    for tcp in ("reno", "bbr"):
        points = tuple(
            Point(
                LOSSY_RTT_MS,
                row["loss"] or 0,
                LOSSY_MBPS,
                BEST_OF + SETTLING,
                SETTLING,
                QUEUE_BYTES,
            )
            for row in rows
        )
        series = Series(
            (1, 1),
            "ddp",
            tcp,
            LOSSY_BYTES,
            2 * LOSSY_BYTES,
            compute_ms=100,
            points=points,
            access_bps=10**9,
        )
        ((found, _),) = measure([series])
        for row, one in zip(rows, found, strict=True):
            before = row[f"{tcp}_s"]
            assert before is not None
            ours = min(one.exchanges_s)
            errors.append(ours / before - 1)
            table.rows.append([row["loss"], tcp, ours, before, f"{100 * errors[-1]:+.1f} %"])
    study.tables.append(table)
    worst = 100 * max(map(abs, errors))
    study.targets.append(Target("all-reduce over losses: worst error", worst, 100 * LOSS, unit="%"))


def _outages(study: Study) -> None:
    """Let the span lose everything for some time, in the middle of transfers; see what that takes.

    A step that meets a black hole takes longer than the others; the stall is by how much.
    """
    rows = published.rows("outage")
    begins_s: list[float] = []
    trace: list[dict[str, Any]] = []
    at_s = OUTAGE_APART_S
    for row in rows:
        lasts_s = row["outage_s"] or 0
        for _ in range(OUTAGES if lasts_s < 1 else 1):
            begins_s.append(at_s)
            for after_s, loss in ((at_s, 1), (at_s + lasts_s, 0)):
                trace.append({"after": f"{round(after_s * 1e3)} ms", "loss": loss})
            at_s += OUTAGE_APART_S + 2 * lasts_s
    data: dict[str, Any] = {
        "name": "outages",
        "network": {
            "campuses": {
                name: {"workers": 1, "fabric": {"kind": "star", "rate": "1 Gbit/s"}}
                for name in ("west", "east")
            },
            "spans": {
                "west-east": {
                    "rate": f"{LOSSY_MBPS:g} Mbit/s",
                    "delay": "500 us",
                    "queue": f"{QUEUE_BYTES} B",
                    "trace": trace,
                }
            },
            "congestion_control": "bbr",
        },
        "workload": {
            "gradients": f"{LOSSY_BYTES} B",
            "bucket": f"{2 * LOSSY_BYTES} B",
            "compute": "5 ms",
            "steps": int(at_s / OUTAGE_STEP_S),
            "reference_steps": 4,
            "timeout": "60 s",
        },
        "emulate": {"bytes": 1, "time": 1},
    }
    with TemporaryDirectory(prefix="spanlab-benchmarks-") as folder:
        file = Path(folder) / "outages.yaml"
        file.write_text(json.dumps(data))
        where, _ = run_scenario(file, Silent(), Path(folder) / "run")
        lines = (where / "steps.jsonl").read_text().splitlines()
        events = [json.loads(line) for line in (where / "events.jsonl").read_text().splitlines()]
    (begin_ns,) = (event["at_ns"] for event in events if event["kind"] == "replay")
    steps = system_steps([json.loads(line) for line in lines], ranks=2)
    usual_s = median(step.duration_ns for step in steps) / 1e9
    stalls: dict[float, list[float]] = {row["outage_s"] or 0: [] for row in rows}
    planned = [lasts_s for lasts_s in stalls for _ in range(OUTAGES if lasts_s < 1 else 1)]
    for at_s, lasts_s in zip(begins_s, planned, strict=True):
        hole_ns = begin_ns + at_s * 1e9
        met = [it for it in steps if it.end_ns - it.duration_ns <= hole_ns <= it.end_ns]
        stalls[lasts_s] += [it.duration_ns / 1e9 - usual_s for it in met]
    table = Table(["outage, s", "stalls, s", "median", "before", "error"], caption="Outages")
    errors = []
    for row in rows:
        found, before = stalls[row["outage_s"] or 0], row["stall_s"]
        assert before is not None
        errors.append(median(found) / before - 1)
        told = ", ".join(f"{stall:.2f}" for stall in found)
        table.rows.append(
            [row["outage_s"], told, median(found), before, f"{100 * errors[-1]:+.1f} %"]
        )
    study.tables.append(table)
    worst = 100 * max(map(abs, errors))
    study.targets.append(Target("stall in an outage: worst error", worst, 100 * OUTAGE, unit="%"))
