"""What was learnt: the loss of each phase, and the time to a stated loss. Pure.

No rank reads a text twice, so the loss of a step is that of text which its parameters were not
trained on: a held-out loss without an evaluation of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from experiments.coherence import SystemStep
from topologies.units import render
from workloads import tasks
from workloads.sizes import Sized

STEPS_MEANT = 8
"""Losses are means over so many steps: one step's hundreds of characters vary by some per cent."""


def task_result(model: Sized) -> dict[str, Any]:
    """Return the ``task`` part of a result: what was trained, and the least loss there is."""
    best = tasks.best_loss(model.task)
    return {
        "name": model.task,
        "parameters": model.parameters,
        "model": model.about,
        "best_loss": None if best is None else round(best, 4),
    }


def loss_of(steps: Sequence[SystemStep]) -> float | None:
    """Return the mean loss of the last of some steps; None where it is not a number."""
    last = [step.loss for step in steps[-STEPS_MEANT:] if step.loss is not None]
    mean = math.fsum(last) / len(last) if last else math.nan
    return round(mean, 4) if math.isfinite(mean) else None


def smooth(steps: Sequence[SystemStep]) -> list[float]:
    """Return the mean loss of the last steps up to each; not a number where those are too few."""
    found = [math.nan] * min(len(steps), STEPS_MEANT - 1)
    for end in range(STEPS_MEANT, len(steps) + 1):
        mean = loss_of(steps[end - STEPS_MEANT : end])
        found.append(math.nan if mean is None else mean)
    return found


def time_to_loss(
    steps: Sequence[SystemStep], target: float | None, time_scale: Fraction
) -> dict[str, Any] | None:
    """Return when the mean loss first came to the target, counted from the first step's start.

    ``emulated_s`` passed here, ``real_s`` would in the real system. Both are None where it did not;
    all is None where no target is stated.
    """
    if target is None:
        return None
    for step, loss in zip(steps, smooth(steps), strict=True):
        if loss <= target:
            passed_ns = step.end_ns - steps[0].start_ns
            return {
                "target": target,
                "step": step.step,
                "emulated_s": round(passed_ns / 1e9, 3),
                "real_s": round(passed_ns / 1e9 / float(time_scale), 3),
            }
    return {"target": target, "step": None, "emulated_s": None, "real_s": None}


def loss_sentence(result: Mapping[str, Any]) -> str | None:
    """Say what was learnt, and when; None of a task whose loss means nothing."""
    task, phases = result["task"], result["phases"]
    if task["best_loss"] is None or not phases:
        return None
    last = phases[-1]["loss"]
    loss = "is not a number: training diverged" if last is None else f"{last:.2f}"
    sentence = f"Loss at the end: {loss}, of {task['best_loss']:.2f} at best (nats per character)."
    sought = result["time_to_loss"]
    if sought is None:
        return sentence
    if sought["step"] is None:
        return f"{sentence} {sought['target']:g} was not reached."
    times = [render(sought[key] * 1e9, "duration") for key in ("emulated_s", "real_s")]
    return (
        f"{sentence} {sought['target']:g} was reached in step {sought['step']}, after {times[0]}, "
        f"which are {times[1]} of the real system."
    )
