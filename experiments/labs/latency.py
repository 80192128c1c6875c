"""Lab 1: latency against bandwidth."""

from __future__ import annotations

from experiments.labs.lab import Effect, Lab, Part, Question, Runs
from experiments.labs.measures import step_ms

DELAY = {"network.spans.lisbon-boston.delay": "2 ms"}
RATE = {"network.spans.lisbon-boston.rate": "4 Gbit/s"}


def _ratio(runs: Runs, slower: str, faster: str) -> float:
    return step_ms(runs[slower]) / step_ms(runs[faster])


def _shorter_wins(runs: Runs) -> tuple[bool, str]:
    by_delay, by_rate = _ratio(runs, "base", "shorter"), _ratio(runs, "base", "faster")
    figures = (
        f"{by_delay:.2f} times as fast by 1/15 of the delay, {by_rate:.2f} by 4 times the rate"
    )
    return by_delay > 1.2 * by_rate, figures


def _rate_needs_nearness(runs: Runs) -> tuple[bool, str]:
    near, far = _ratio(runs, "shorter", "both"), _ratio(runs, "base", "faster")
    return near > 1.3 * far, f"4 times the rate: {near:.2f} times as fast near, {far:.2f} far away"


def _question(part: str, about: str) -> Question:
    return Question(
        f"{part}_step_ms", about, "ms", (part,), lambda runs: step_ms(runs[part]), tolerance=0.25
    )


LAB = Lab(
    number=1,
    slug="latency",
    title="Latency against bandwidth",
    minutes=25,
    parts=(
        Part("base", "base"),
        Part("faster", "base", RATE),
        Part("shorter", "base", DELAY),
        Part("both", "base", {**DELAY, **RATE}),
    ),
    effects=(
        Effect(
            "far away, less delay helps more than more rate",
            ("base", "faster", "shorter"),
            _shorter_wins,
            "look at the rate and the delay that both runs really had: ./spanlab validate FILE",
        ),
        Effect(
            "the same rate is worth more near than far away",
            ("base", "faster", "shorter", "both"),
            _rate_needs_nearness,
            "look at the rate and the delay that all four runs really had: ./spanlab validate FILE",
        ),
    ),
    questions=(
        _question("base", "a step as the span is"),
        _question("faster", "a step at 4 times the rate"),
        _question("shorter", "a step at 1/15 of the delay"),
        _question("both", "a step with both"),
    ),
)
