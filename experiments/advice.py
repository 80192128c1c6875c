"""What a valid scenario would do better to say otherwise. Pure."""

from __future__ import annotations

from experiments.bounds import Bounds
from experiments.scenario import Scenario
from experiments.statistics.phases import period_of
from experiments.twin import Twin
from experiments.twinbounds import beyond

PERIODS = 3
"""Of a reference: one is lost to the warm-up, and it takes two to see how much they differ."""


def advice(scenario: Scenario, twin: Twin, bounds: Bounds) -> list[str]:
    """Return a sentence for each thing that would make a run's figures worse than they need be."""
    return [*_on_meetings(scenario), *beyond(scenario, twin, bounds)]


def _on_meetings(scenario: Scenario) -> list[str]:
    """Say that a reference is too short for a strategy whose ranks meet now and then."""
    workload = scenario.workload
    period = period_of(workload.strategy.options)
    if period == 1 or workload.reference_steps >= PERIODS * period:
        return []
    return [
        f"workload.reference_steps: ranks meet every {period} steps, the first time slowly; "
        f"of a reference of {workload.reference_steps} steps it is too large a part, so coherence "
        f"comes out too high; better make it {PERIODS * period}, or more"
    ]
