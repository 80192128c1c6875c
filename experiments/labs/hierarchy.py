"""Lab 3: hierarchical all-reduce."""

from __future__ import annotations

from experiments.labs.lab import Effect, Lab, Part, Question, Runs
from experiments.labs.measures import each_way_mb, step_ms

SPAN = "north-south"
HIERARCHICAL = {"workload.strategy": "hierarchical"}
THREE = {"network.campuses.north.workers": 3, "network.campuses.south.workers": 3}


def _sent(runs: Runs, part: str) -> float:
    return each_way_mb(runs[part], SPAN)


def _sends_less(runs: Runs) -> tuple[bool, str]:
    ring, own = _sent(runs, "base"), _sent(runs, "hierarchical")
    return ring > 1.35 * own, f"{ring:.0f} MB each way and step against {own:.0f}"


def _workers_do_not_matter(runs: Runs) -> tuple[bool, str]:
    two, three = _sent(runs, "hierarchical"), _sent(runs, "hierarchical-3")
    return abs(three / two - 1) < 0.05, f"{two:.0f} MB with two workers, {three:.0f} with three"


def _is_faster(runs: Runs) -> tuple[bool, str]:
    by_two = step_ms(runs["base"]) / step_ms(runs["hierarchical"])
    by_three = step_ms(runs["ring-3"]) / step_ms(runs["hierarchical-3"])
    figures = f"{by_two:.2f} times as fast with two workers, {by_three:.2f} with three"
    return by_two > 1.15 and by_three > by_two, figures


def _question(key: str, part: str, about: str) -> Question:
    return Question(key, about, "MB", (part,), lambda runs: _sent(runs, part), tolerance=0.08)


LAB = Lab(
    number=3,
    slug="hierarchical",
    title="Hierarchical all-reduce",
    minutes=30,
    parts=(
        Part("base", "base"),
        Part("hierarchical", "base", HIERARCHICAL),
        Part("ring-3", "base", THREE),
        Part("hierarchical-3", "base", {**HIERARCHICAL, **THREE}),
    ),
    effects=(
        Effect(
            "hierarchical sends less over the span than one ring through all workers",
            ("base", "hierarchical"),
            _sends_less,
            "look at workload.strategy in both runs' manifest.json",
        ),
        Effect(
            "what hierarchical sends over the span does not depend on the workers of a campus",
            ("hierarchical", "hierarchical-3"),
            _workers_do_not_matter,
            "look at the bytes under phases and spans in both runs' result.json",
        ),
        Effect(
            "hierarchical is faster, the more so the more workers there are",
            ("base", "hierarchical", "ring-3", "hierarchical-3"),
            _is_faster,
            "close what else uses this machine, and run the slower of each pair once more",
        ),
    ),
    questions=(
        _question("ring_mb", "base", "sent over the span each way in a step, one ring of four"),
        _question("hierarchical_mb", "hierarchical", "the same, hierarchical"),
        _question("ring_3_mb", "ring-3", "the same, one ring of six"),
        _question("hierarchical_3_mb", "hierarchical-3", "the same, hierarchical, of six workers"),
    ),
)
