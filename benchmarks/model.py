"""The step-time model against training over emulated spans, point by point."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from statistics import fmean, median

from benchmarks.scoreboard import Study, Table, Target
from benchmarks.training_grid import (
    ACCESS_BPS,
    MTU,
    NAMES,
    ROOMY,
    Measured,
    Point,
    Series,
    measure,
)
from experiments.model import Crossings, Job, Prediction, predict

MEDIAN_ERROR = 0.10
LOW_RTT = (
    Point(30, 0, 80, 9, 4),
    Point(5, 0, 80, 9, 3),
    Point(2, 0, 80, 9, 3),
    Point(15, 3e-4, 80, 16, 4),
    Point(5, 3e-3, 80, 14, 3),
    Point(40, 1e-3, 80, 14, 3),
    Point(20, 1e-2, 80, 8, 2),
    Point(2, 1e-2, 80, 12, 2),
)
SLOW = (
    Point(40, 0, 40, 9, 4),
    Point(20, 0, 40, 9, 3),
    Point(4, 0, 40, 9, 3),
    Point(20, 3e-4, 40, 12, 3),
    Point(4, 3e-3, 40, 12, 3),
    Point(30, 1e-3, 40, 12, 2),
    Point(10, 1e-2, 40, 8, 2),
    Point(1, 1e-2, 40, 10, 2),
)
PATIENT = (Point(10, 0, 40, 10, 4), Point(30, 0, 40, 10, 4), Point(10, 1e-2, 40, 10, 4))
GRID = (
    Series((1, 1), "ddp", "reno", 2_000_000, 500_000, 80, LOW_RTT),
    Series((2, 2), "ddp", "reno", 1_200_000, 300_000, 80, SLOW),
    Series((2, 2), "hierarchical", "reno", 1_600_000, 400_000, 80, SLOW),
    Series((2, 2, 2), "ddp", "reno", 1_000_000, 500_000, 80, SLOW),
    Series((2, 2, 2), "hierarchical", "reno", 1_600_000, 400_000, 80, SLOW),
    Series((1, 1, 1), "ddp", "bbr", 1_600_000, 800_000, 80, PATIENT),
)


def run(quick: bool) -> Study:
    """Train through the grid, or through two points of it."""
    study = Study("model", "Step times, predicted and measured")
    grid = [replace(GRID[1], points=LOW_RTT[1:3])] if quick else GRID
    table = Table(
        [
            *("workers", "strategy", "TCP", "round trip, ms", "loss", "rate, Mbit/s"),
            *("predicted, ms", "interval", "measured, ms", "error", "dominant"),
        ]
    )
    errors, inside, overheads = [], 0, []
    for found, checks in measure(grid):
        overhead_s = overhead_of(found[0])
        overheads.append(overhead_s)
        for one in found:
            guess = prediction(one, overhead_s)
            errors.append(guess.step_s / one.mean_s - 1)
            inside += guess.low_s <= one.mean_s <= guess.high_s
            table.rows.append(_row(one, guess, errors[-1]))
        failed = [
            check.reason for check in checks if not check.ok and check.name != "gradient bytes"
        ]
        study.remarks += [f"{found[0].series.strategy}: {reason}" for reason in failed]
    study.tables.append(table)
    error = median(map(abs, errors))
    study.targets.append(
        Target("median error of a step time", 100 * error, 100 * MEDIAN_ERROR, unit="%")
    )
    study.raw = {"errors": errors, "overheads_s": overheads}
    study.remarks += [
        f"{len(errors)} points; {inside} lie in the predicted interval; mean error "
        f"{100 * fmean(errors):+.1f} %, worst {100 * max(errors, key=abs):+.1f} %.",
        "What a step takes beyond compute and communication is measured once for each group of "
        "rows, in its reference phase over roomy spans, where the model says how long the rest is: "
        + ", ".join(f"{1e3 * overhead:.0f} ms" for overhead in overheads)
        + ".",
        "Every two campuses are joined by a span; all spans are in the same state. A point's first "
        "steps, in which TCP still goes by the state before, are left out.",
    ]
    return study


def job_of(one: Measured, overhead_s: float) -> Job:
    """Return a measured series' job as the model takes it."""
    series = one.series
    sites = [
        name for name, workers in zip(NAMES, series.campuses, strict=False) for _ in range(workers)
    ]
    return Job(
        sites=tuple(sites),
        gradient_bytes=series.gradient_bytes,
        bucket_bytes=series.bucket_bytes,
        compute_s=series.compute_ms / 1e3,
        strategy=series.strategy,
        congestion_control=series.congestion_control,
        access_bps=ACCESS_BPS,
        mtu=MTU,
        fabric_rtt_s=one.fabric_rtt_s,
        overhead_s=overhead_s,
    )


def crossings_of(sites: tuple[str, ...]) -> Crossings:
    """Return the direct ways between campuses, every two of which have a span."""
    pairs = [pair for pair in combinations(NAMES, 2) if set(pair) <= set(sites)]
    there = {(a, b): ((f"{a}-{b}", 0),) for a, b in pairs}
    return there | {(b, a): ((f"{a}-{b}", 1),) for a, b in pairs}


def prediction(one: Measured, overhead_s: float) -> Prediction:
    """Predict a measured point."""
    return _predict(one, overhead_s, reference=False)


def overhead_of(one: Measured) -> float:
    """Return what the reference steps took beyond their prediction (s)."""
    return max(0.0, one.reference_s - _predict(one, 0.0, reference=True).step_s)


def _predict(one: Measured, overhead_s: float, reference: bool) -> Prediction:
    job = job_of(one, overhead_s)
    crossings = crossings_of(job.sites)
    spans = {span for way in crossings.values() for span, _ in way}
    return predict(job, crossings, dict.fromkeys(spans, ROOMY if reference else one.point.state))


def _row(one: Measured, guess: Prediction, error: float) -> list[object]:
    series, point = one.series, one.point
    return [
        *("+".join(map(str, series.campuses)), series.strategy, series.congestion_control),
        *(point.rtt_ms, point.loss, point.rate_mbps, 1e3 * guess.step_s),
        f"{1e3 * guess.low_s:.0f} to {1e3 * guess.high_s:.0f}",
        *(1e3 * one.mean_s, f"{100 * error:+.1f} %", guess.dominant),
    ]
