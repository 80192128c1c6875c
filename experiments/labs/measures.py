"""The figures of a finished run that labs are about. Pure; in quantities of the real system."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from experiments.finished import FinishedRun
from experiments.statistics.phases import durations_ms, settled_steps

AGED = "aged"
"""The phase in which spans are first what the file says."""


def step_ms(run: FinishedRun, phase: str = AGED) -> float:
    """Return the median of a phase's steps, in ms: what a run shows as ``step p50``.

    Not the mean: under BBR the first steps over a changed span take seconds.
    """
    return float(np.median(durations_ms(run.phases[phase]))) / float(run.time)


def settled_count(run: FinishedRun, phase: str) -> int:
    """Return how many settled steps a phase has."""
    return len(settled_steps(run.phases[phase], run.period))


def coherence(run: FinishedRun, phase: str = AGED) -> float:
    """Return the coherence of a phase's settled steps."""
    return float(result_of(run, phase)["settled"]["coherence"])


def last_phase(run: FinishedRun) -> str:
    """Return the name of the phase in which the run ended."""
    return list(run.phases)[-1]


def result_of(run: FinishedRun, phase: str) -> Mapping[str, Any]:
    """Return a phase as ``result.json`` has it."""
    names = list(run.phases)[1:]  # the reference stands apart
    found: Mapping[str, Any] = run.result["phases"][names.index(phase)]
    return found


def each_way_mb(run: FinishedRun, span: str) -> float:
    """Return what a step of the aged phase sends over a span each way, headers included, in MB."""
    phase = result_of(run, AGED)
    steps = phase["to_step"] - phase["from_step"] + 1
    real = phase["spans"][span]["bytes"] / Fraction(run.scenario["emulate"]["bytes"])
    return float(real / steps / 2 / 10**6)


def longest_step_ms(run: FinishedRun) -> float:
    """Return the longest step on the aged spans, be it of a phase or between two of them, in ms.

    The first of them is left out: the spans change in it.
    """
    first = run.result["phases"][0]["from_step"]
    longest_ns = max(step.duration_ns for step in run.steps if step.step > first)
    return longest_ns / 1e6 / float(run.time)
