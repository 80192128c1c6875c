"""Two scalings of one system are the same system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.similarity import SAME, SYSTEMS, scenario
from tests.fakes.scenarios import tiny
from tests.integration.runs import Run

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_ovs, pytest.mark.slow]


def finished(folder: Path, data: dict[str, Any]) -> dict[str, Any]:
    """Run a scenario to its end; return the result."""
    folder.mkdir()
    run = Run(folder, data)
    try:
        run.end()
        assert run.process.returncode == 0, run.end()
        return run.result
    finally:
        run.close()


@pytest.mark.parametrize(
    "system", ["rates and delays", pytest.param("windows", marks=pytest.mark.thorough)]
)
def test_two_scalings_give_the_same_coherence(tmp_path: Path, system: str) -> None:
    coherences = []
    for number, scaling in enumerate(SYSTEMS[system][2][:2]):
        result = finished(tmp_path / str(number), scenario(system, scaling, steps=5))
        (phase,) = result["phases"]
        coherences.append(phase["coherence"])
        assert 0.3 < phase["coherence"] < 0.7, "so that what it depends on is not hidden"
    first, second = coherences
    assert second == pytest.approx(first, rel=SAME)


@pytest.mark.thorough
def test_scales_are_chosen_by_what_the_machine_carries(tmp_path: Path) -> None:
    slow = tiny(emulate="auto", workload__compute="400 ms")  # so that time need not be stretched
    result = finished(tmp_path / "auto", slow)
    similarity = result["similarity"]
    assert similarity["chosen"]
    assert similarity["carrying"]["machine"] == "this machine"
    assert len(similarity["because"]) >= 3
    assert {group["name"] for group in similarity["groups"]} >= {"bandwidth", "latency", "window"}
    assert result["fidelity"]["verdict"] != "invalid"
