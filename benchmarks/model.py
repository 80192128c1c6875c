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
    Measured,
    Point,
    Series,
    measure,
)
from experiments.model import TWIN_OVERHEAD_S, Crossings, Job, Prediction, predict

MEDIAN_ERROR = 0.10
FAST = (
    Point(25, 0, 70, 10, 4),
    Point(8, 0, 70, 10, 3),
    Point(1, 0, 70, 10, 3),
    Point(25, 2e-4, 70, 16, 4),
    Point(8, 2e-3, 70, 16, 3),
    Point(35, 1e-3, 70, 14, 3),
    Point(15, 1e-2, 70, 9, 2),
    Point(3, 1e-2, 70, 14, 2),
)
SLOW = (
    Point(35, 0, 30, 9, 4),
    Point(15, 0, 30, 9, 3),
    Point(3, 0, 30, 9, 3),
    Point(15, 5e-4, 30, 12, 3),
    Point(6, 2e-3, 30, 12, 3),
    Point(40, 1e-3, 30, 12, 2),
    Point(12, 1e-2, 30, 8, 2),
    Point(2, 1e-2, 30, 10, 2),
)
PATIENT = (Point(15, 0, 30, 14, 8), Point(25, 0, 30, 14, 8), Point(15, 1e-2, 30, 14, 8))
GRID = (
    Series((1, 1), "ddp", "reno", 1_400_000, 350_000, 60, FAST),
    Series((2, 2), "ddp", "reno", 1_000_000, 250_000, 60, SLOW),
    Series((2, 2), "hierarchical", "reno", 1_400_000, 350_000, 60, SLOW),
    Series((2, 2, 2), "ddp", "reno", 800_000, 200_000, 60, SLOW),
    Series((2, 2, 2), "hierarchical", "reno", 1_000_000, 250_000, 60, SLOW),
    Series((1, 1, 1), "ddp", "bbr", 1_000_000, 500_000, 60, PATIENT),
)


def run(quick: bool) -> Study:
    """Train through the grid, or through two points of it."""
    study = Study("model", "Step times, predicted and measured")
    grid = [replace(GRID[1], points=SLOW[1:3])] if quick else GRID
    table = Table(
        [
            *("workers", "strategy", "TCP", "round trip, ms", "loss", "rate, Mbit/s"),
            *("predicted, ms", "interval", "measured, ms", "error", "dominant"),
        ]
    )
    errors, inside = [], 0
    for found, checks in measure(grid):
        for one in found:
            guess = prediction(one)
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
    study.raw = {"errors": errors}
    study.remarks += [
        f"{len(errors)} points; {inside} lie in the predicted interval; mean error "
        f"{100 * fmean(errors):+.1f} %, worst {100 * max(errors, key=abs):+.1f} %.",
        f"A step takes {1e3 * TWIN_OVERHEAD_S:.0f} ms beyond compute and communication, a constant "
        "that was calibrated on other points.",
        "Every two campuses are joined by a span; all spans are in the same state. A point's first "
        "steps, in which TCP still goes by the state before, are left out.",
    ]
    return study


def job_of(one: Measured) -> Job:
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
        strategy=series.strategy,  # type: ignore[arg-type]
        congestion_control=series.congestion_control,  # type: ignore[arg-type]
        access_bps=ACCESS_BPS,
        mtu=MTU,
        fabric_rtt_s=one.fabric_rtt_s,
        overhead_s=TWIN_OVERHEAD_S,
    )


def crossings_of(sites: tuple[str, ...]) -> Crossings:
    """Return the direct ways between campuses, every two of which have a span."""
    pairs = [pair for pair in combinations(NAMES, 2) if set(pair) <= set(sites)]
    there = {(a, b): ((f"{a}-{b}", 0),) for a, b in pairs}
    return there | {(b, a): ((f"{a}-{b}", 1),) for a, b in pairs}


def prediction(one: Measured) -> Prediction:
    """Predict a measured point."""
    job = job_of(one)
    crossings = crossings_of(job.sites)
    spans = {span for way in crossings.values() for span, _ in way}
    return predict(job, crossings, dict.fromkeys(spans, one.point.state(one.series.mtu)))


def _row(one: Measured, guess: Prediction, error: float) -> list[object]:
    series, point = one.series, one.point
    return [
        *("+".join(map(str, series.campuses)), series.strategy, series.congestion_control),
        *(point.rtt_ms, point.loss, point.rate_mbps, 1e3 * guess.step_s),
        f"{1e3 * guess.low_s:.0f} to {1e3 * guess.high_s:.0f}",
        *(1e3 * one.mean_s, f"{100 * error:+.1f} %", guess.dominant),
    ]
