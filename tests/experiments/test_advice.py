"""What is said of scenarios that are valid, and could be better."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.advice import advice
from experiments.bounds import bounds_for
from experiments.twin import twin_of
from tests.fakes.scenarios import scenario_of, tiny


@pytest.mark.parametrize(
    ("strategy", "reference_steps", "sentences"),
    [
        ("ddp", 5, 0),
        ({"name": "diloco", "every": 10}, 10, 1),
        ({"name": "diloco", "every": 10}, 29, 1),
        ({"name": "diloco", "every": 10}, 30, 0),
    ],
)
def test_a_reference_should_hold_three_meetings(
    strategy: Any, reference_steps: int, sentences: int
) -> None:
    changed = {
        "workload__strategy": strategy,
        "workload__steps": 60,
        "workload__reference_steps": reference_steps,
        "timeline": None,
    }
    scenario = scenario_of(tiny(**changed))
    said = advice(scenario, twin_of(scenario), bounds_for(2, None))
    assert len(said) == sentences
    assert all("better make it 30, or more" in sentence for sentence in said)
