from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from experiments.dashboard.sessionfile import happened
from experiments.scenario import Scenario
from topologies.files import FileError


@pytest.fixture
def scenario(recorded: Path) -> Scenario:
    manifest = json.loads((recorded / "manifest.json").read_text())
    return Scenario.model_validate(manifest["scenario"])


def test_a_session_so_far_is_a_scenario_with_what_was_wished(scenario: Scenario) -> None:
    wish = {"age": "north-south", "by": "2 years"}
    events: list[dict[str, Any]] = [
        {"kind": "network up"},
        {"kind": "wish", "id": "a", "at": "step 20", "event": wish},
        {"kind": "wish", "id": "b", "at": "step 22", "event": {"pause": True}},
        {"kind": "wish", "id": "c", "at": "step 22", "event": {"resume": True}},
        {"kind": "wish refused", "id": "d", "reason": "no"},
    ]
    session = happened(scenario, events, 23)
    assert [(event.kind, event.at) for event in session.timeline] == [("upgrade", 18), ("age", 20)]
    assert session.workload.steps == 24


def test_a_session_that_measured_nothing_is_none(scenario: Scenario) -> None:
    with pytest.raises(FileError, match="reference_steps"):
        happened(scenario, [], 3)
