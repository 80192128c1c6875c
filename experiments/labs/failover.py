"""Lab 4: policies and failover."""

from __future__ import annotations

from experiments.labs.lab import Effect, Lab, Part, Question, Runs
from experiments.labs.measures import AGED, last_phase, longest_step_ms, step_ms

OUTAGE_MS = 2500


def _widest_ms(runs: Runs) -> float:
    return step_ms(runs["policies"], last_phase(runs["policies"]))


def _policy_matters(runs: Runs) -> tuple[bool, str]:
    shortest_ms, widest_ms = step_ms(runs["policies"], AGED), _widest_ms(runs)
    figures = f"steps of {shortest_ms:.0f} ms by shortest-delay, {widest_ms:.0f} by widest-path"
    return shortest_ms > 1.3 * widest_ms, figures


def _switches_go_around(runs: Runs) -> tuple[bool, str]:
    longest_ms = longest_step_ms(runs["cut"])
    return longest_ms < OUTAGE_MS / 2, f"the longest step took {longest_ms:.0f} ms"


def _nobody_goes_around(runs: Runs) -> tuple[bool, str]:
    longest_ms = longest_step_ms(runs["silent"])
    return longest_ms >= OUTAGE_MS, f"the longest step took {longest_ms:.0f} ms"


LAB = Lab(
    number=4,
    slug="failover",
    title="Policies and failover",
    minutes=30,
    parts=(
        Part("policies", "policies"),
        Part("cut", "cut"),
        Part("silent", "cut", {"timeline.0.silent": True}),
    ),
    effects=(
        Effect(
            "the longer, faster way is the better one for this job",
            ("policies",),
            _policy_matters,
            "look at the timeline in the run's manifest.json",
        ),
        Effect(
            "training goes on through a cut of 2.5 s that the switches see",
            ("cut",),
            _switches_go_around,
            "close what else uses this machine, and run cut.yaml once more",
        ),
        Effect(
            "training stands still through a cut of 2.5 s that they do not see",
            ("silent",),
            _nobody_goes_around,
            "look at the timeline in the run's manifest.json: is the outage silent?",
        ),
    ),
    questions=(
        Question(
            "widest_step_ms",
            "a step by widest-path",
            "ms",
            ("policies",),
            _widest_ms,
            tolerance=0.3,
        ),
        Question(
            "silent_step_ms",
            "the longest step when nobody sees the cut",
            "ms",
            ("silent",),
            lambda runs: longest_step_ms(runs["silent"]),
            tolerance=0.4,
        ),
    ),
)
