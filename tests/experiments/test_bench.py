"""What two runs must have alike to take place in one lab."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.bench import fit_of, returns
from experiments.twin import twin_of
from tests.fakes.runs import MACHINE
from tests.fakes.scenarios import scenario_of, tiny


def fit(**changes: Any) -> dict[str, Any]:
    scenario = scenario_of(tiny(**changes))
    return fit_of(scenario, twin_of(scenario), MACHINE)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 9},
        {"name": "other"},
        {"network__spans__west-east__delay": "9 ms", "network__spans__west-east__loss": 0.01},
        {"workload__strategy": "fp16", "workload__gradients": "8 MB", "workload__steps": 20},
        {"timeline": []},
    ],
)
def test_what_the_next_run_can_change(changes: dict[str, Any]) -> None:
    assert fit(**changes) == fit()


@pytest.mark.parametrize(
    "changes",
    [
        {"network__campuses__west__workers": 2},
        {"network__congestion_control": "bbr"},
        {"emulate__bytes": "1/5"},
        {"emulate__connections": 3},
        {"controller": {"policy": "ecmp"}},
        {"emulate__runtime": "docker"},
    ],
)
def test_what_takes_another_lab(changes: dict[str, Any]) -> None:
    assert fit(**changes) != fit()


def test_routes_that_changed_on_the_way_are_not_left_to_others() -> None:
    assert returns(twin_of(scenario_of(tiny())))
    moved = tiny(timeline=[{"at": "step 9", "policy": "ecmp"}])
    assert not returns(twin_of(scenario_of(moved)))
