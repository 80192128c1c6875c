"""The figures of a phase with what is known of their errors, as ``result.json`` has them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.coherence import SystemStep, step_ms, steps_per_s
from experiments.statistics.estimate import Estimate, estimate
from experiments.statistics.median import median_estimate
from experiments.statistics.pooling import mean_interval
from experiments.statistics.warmup import LEAST_SETTLED, settled

Floats = NDArray[np.float64]


def period_of(strategy_options: Mapping[str, Any]) -> int:
    """Return after how many steps a strategy does the same again: those from meeting to meeting."""
    return int(strategy_options.get("every", 1))


def durations_ms(steps: Sequence[SystemStep]) -> Floats:
    """Return the durations of steps in ms."""
    return np.array([step.duration_ns / 1e6 for step in steps])


def settled_steps(steps: Sequence[SystemStep], period: int) -> Sequence[SystemStep]:
    """Return the steps after the warm-up, whole periods of them."""
    return steps[settled(durations_ms(steps), period) :]


def reference_steps(steps: Sequence[SystemStep], period: int) -> Sequence[SystemStep]:
    """Return the settled steps of the reference; none where it is too short to be one.

    It begins with the run, whose first step is warm-up by what happens in it (buckets are laid
    out, connections are new), whether or not that can be told from the noise of a short series.
    Where ranks meet every ``period`` steps, so is the first period, in which they meet over new
    connections; it stays in where nothing would be left.
    """
    if len(steps) < LEAST_SETTLED:
        return []
    return settled_steps(steps[period:] if len(steps) >= 2 * period else steps, period)


def step_times(steps: Sequence[SystemStep], seed: int, period: int) -> dict[str, Any]:
    """Return quantiles and mean of step durations in ms, the median and the mean with intervals.

    Intervals of one step are None.
    """
    durations, random = durations_ms(steps), np.random.default_rng(seed)
    return {
        **step_ms(steps),
        "mean": round(float(durations.mean()), 2),
        "mean_ci": bounds(estimate(durations, period), 2),
        "p50_ci": bounds(median_estimate(durations, random, period), 2),
    }


def coherence_interval(
    phase: Sequence[SystemStep], reference: Sequence[SystemStep], period: int = 1
) -> tuple[float, float]:
    """Return the 95 % interval of coherence, of a reference of two steps or more.

    A phase of one step is taken to be as uneven as the reference, for want of anything better.
    """
    usual = estimate(durations_ms(reference), period)
    assert usual, "a reference has several steps"
    found = estimate(durations_ms(phase), period)
    if found is None:
        found = replace(usual, error=usual.error * len(reference) ** 0.5)
        found = found.around(float(durations_ms(phase).mean()))
    return (usual - found).interval()


def settled_part(
    phase: Sequence[SystemStep], reference: Sequence[SystemStep], period: int
) -> dict[str, Any]:
    """Return how many first steps of a phase are warm-up, and what those after it alone say."""
    rest = settled_steps(phase, period)
    speed = steps_per_s(rest)
    low, high = coherence_interval(rest, reference, period)
    return {
        "warm_up_steps": len(phase) - len(rest),
        "settled": {
            "steps_per_s": round(speed, 4),
            "coherence": round(speed / steps_per_s(reference), 4),
            "coherence_ci": [round(low, 4), round(high, 4)],
        },
    }


def recoveries(events: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return by kind of event how long recovery took on average, over all that did recover.

    What happened at one moment is one event. The interval of one event is None.
    """
    moments: dict[str, dict[float, float | None]] = {}
    for event in events:
        moments.setdefault(event["kind"], {})[event["t_s"]] = event["recovery_s"]
    found = {}
    for kind, by_moment in moments.items():
        seconds = [it for it in by_moment.values() if it is not None]
        found[kind] = {
            "events": len(by_moment),
            "recovered": len(seconds),
            "mean_s": round(fmean(seconds), 3) if seconds else None,
            "ci_s": rounded(mean_interval(seconds), 3),
        }
    return found


def bounds(found: Estimate | None, digits: int) -> list[float] | None:
    """Return the interval of an estimate as ``result.json`` has it."""
    return None if found is None else rounded(found.interval(), digits)


def rounded(interval: tuple[float, float] | None, digits: int) -> list[float] | None:
    """Return the ends of an interval as ``result.json`` has them."""
    return None if interval is None else [round(end, digits) for end in interval]
