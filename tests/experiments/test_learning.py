"""What was learnt, and when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from rich.console import Console

from experiments.coherence import SystemStep, system_steps
from experiments.learning import (
    STEPS_MEANT,
    loss_of,
    loss_sentence,
    smooth,
    task_result,
    time_to_loss,
)
from experiments.screen import show_result
from experiments.twin import twin_of
from tests.fakes.scenarios import scenario_of, tiny
from tests.fakes.steps import rank_step


def steps_of(*losses: tuple[float, float]) -> list[SystemStep]:
    """Return steps of 100 ms and two ranks."""
    records = [
        rank_step(step, 100 * step, 100 * (step + 1), rank=rank, loss=loss)
        for step, both in enumerate(losses)
        for rank, loss in enumerate(both)
    ]
    return system_steps(records, 2)


def falling(count: int) -> list[SystemStep]:
    return steps_of(*((3.0 - step / 10, 3.2 - step / 10) for step in range(count)))


def test_a_steps_loss_is_the_mean_of_all_ranks() -> None:
    assert [step.loss for step in steps_of((1.0, 2.0), (1.0, 1.5))] == [1.5, 1.25]


def test_a_phases_loss_is_that_of_its_last_steps() -> None:
    steps = falling(20)
    assert loss_of(steps) == pytest.approx(3.1 - 1.9 + 0.35)
    assert loss_of(steps[:2]) == pytest.approx(3.05)
    assert loss_of([]) is None
    assert loss_of(steps_of((math.nan, 1.0))) is None, "JSON holds no such number"


def test_the_smooth_loss_begins_where_enough_steps_are_known() -> None:
    found = smooth(falling(12))
    assert len(found) == 12
    assert all(math.isnan(loss) for loss in found[: STEPS_MEANT - 1])
    assert found[STEPS_MEANT - 1 :] == pytest.approx([2.75, 2.65, 2.55, 2.45, 2.35])
    assert len(smooth(falling(3))) == 3


def test_time_to_a_loss_counts_from_the_first_step() -> None:
    steps = falling(20)
    assert time_to_loss(steps, None, Fraction(4)) is None
    found = time_to_loss(steps, 2.0, Fraction(4))
    # The mean of eight steps lies 0.35 above the last: 3.1 - 0.1 s + 0.35 <= 2.0.
    assert found == {"target": 2.0, "step": 15, "emulated_s": 1.6, "real_s": 0.4}
    never = time_to_loss(steps, 1.0, Fraction(4))
    assert never == {"target": 1.0, "step": None, "emulated_s": None, "real_s": None}
    assert time_to_loss([], 1.0, Fraction(4)) == never


def test_one_lucky_step_is_not_the_target() -> None:
    lucky = steps_of(*([(3.0, 3.0)] * 10), (1.0, 1.0), *([(3.0, 3.0)] * 10))
    found = time_to_loss(lucky, 2.0, Fraction(1))
    assert found is not None
    assert found["step"] is None


def result_of(sought: dict[str, Any] | None, losses: Sequence[float | None] = (2.5, 1.25)) -> Any:
    task = twin_of(scenario_of(tiny(workload__task="language-model"))).model
    shared = {"step_ms": {"p50": 10.0, "p99": 11.0}, "coherence": 0.9, "coherence_ci": [0.8, 1.0]}
    phases = [
        {"name": str(loss), "from_step": 1, "to_step": 2, "class": "degraded", "loss": loss}
        for loss in losses
    ]
    return {
        "task": task_result(task),
        "reference": {**shared, "loss": 3.0},
        "phases": [{**shared, **phase} for phase in phases],
        "time_to_loss": sought,
        "interruptions": [],
        "fidelity": {"verdict": "faithful", "reasons": []},
        "headline": "the headline",
    }


def test_the_sentence() -> None:
    reached = {"target": 1.5, "step": 15, "emulated_s": 1.6, "real_s": 0.4}
    sentence = loss_sentence(result_of(reached))
    assert sentence == (
        "Loss at the end: 1.25, of 0.31 at best (nats per character). 1.5 was reached in step 15, "
        "after 1.6 s, which are 400 ms of the real system."
    )
    missed = dict.fromkeys(("step", "emulated_s", "real_s"), None)
    assert str(loss_sentence(result_of({"target": 1.0, **missed}))).endswith("1 was not reached.")
    assert "1.5" not in str(loss_sentence(result_of(None)))
    assert "diverged" in str(loss_sentence(result_of(None, [None])))


def test_synthetic_gradients_teach_nothing() -> None:
    found = task_result(twin_of(scenario_of(tiny())).model)
    assert found["name"] == "synthetic"
    assert found["best_loss"] is None
    assert found["parameters"] == 100_000
    assert loss_sentence({**result_of(None), "task": found}) is None


def test_the_terminal_shows_the_loss_of_each_phase() -> None:
    console = Console(width=120, record=True, quiet=False)
    with console.capture() as capture:
        show_result(console, result_of(None))
    shown = capture.get()
    assert "loss" in shown.splitlines()[1]
    assert all(loss in shown for loss in ("3.00", "2.50", "1.25", "Loss at the end"))
    synthetic = {**result_of(None), "task": task_result(twin_of(scenario_of(tiny())).model)}
    with console.capture() as capture:
        show_result(console, synthetic)
    assert "loss" not in capture.get().lower()
