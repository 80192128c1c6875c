"""Lab 2: loss and TCP."""

from __future__ import annotations

from experiments.labs.lab import Effect, Lab, Part, Question, Runs
from experiments.labs.measures import step_ms

LOSS = {"network.spans.north-south.loss": 0.001}
BBR = {"network.congestion_control": "bbr"}


def _loss_costs(runs: Runs) -> tuple[bool, str]:
    times = step_ms(runs["lossy"]) / step_ms(runs["base"])
    return times > 1.5, f"steps take {times:.2f} times as long"


def _bbr_hides(runs: Runs) -> tuple[bool, str]:
    times = step_ms(runs["bbr"]) / step_ms(runs["base"])
    return times < 1.25, f"steps take {times:.2f} times as long as without loss"


LAB = Lab(
    number=2,
    slug="loss",
    title="Loss and TCP",
    minutes=25,
    parts=(
        Part("base", "base"),
        Part("lossy", "base", LOSS),
        Part("bbr", "base", {**LOSS, **BBR}),
    ),
    effects=(
        Effect(
            "one frame lost in a thousand slows Reno down, by half as much again at least",
            ("base", "lossy"),
            _loss_costs,
            "look at the loss that the run really had: spans under phases in its result.json",
        ),
        Effect(
            "BBR hardly notices the same loss",
            ("base", "bbr"),
            _bbr_hides,
            "look at network.congestion_control in the run's manifest.json",
        ),
    ),
    questions=(
        Question(
            "base_step_ms",
            "a step without loss",
            "ms",
            ("base",),
            lambda runs: step_ms(runs["base"]),
            tolerance=0.4,
        ),
        Question(
            "lossy_step_ms",
            "a step of Reno with loss",
            "ms",
            ("lossy",),
            lambda runs: step_ms(runs["lossy"]),
            tolerance=0.6,
        ),
        Question(
            "bbr_step_ms",
            "a step of BBR with the same loss",
            "ms",
            ("bbr",),
            lambda runs: step_ms(runs["bbr"]),
            tolerance=0.4,
        ),
    ),
)
