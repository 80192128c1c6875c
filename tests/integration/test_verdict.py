"""Faults planted into a run, one after the other, are all caught, named and dated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.faults import CAUGHT_BY, FAULTS
from tests.integration.runs import Run, lines_of

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_ovs, pytest.mark.slow]

SCENARIO = Path(__file__).parents[2] / "benchmarks" / "verdicts.yaml"
PHASES = ("aged", "north-south upgraded", "south-east upgraded", "north-east upgraded")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run each of whose phases has a fault, whose clock is set back, and which is strict."""
    scenario: dict[str, Any] = yaml.safe_load(SCENARIO.read_text())
    folder = tmp_path_factory.mktemp("verdict")
    run = Run(folder, scenario, "--strict", program="benchmarks.faults")
    try:
        for fault, phase in zip(FAULTS, PHASES, strict=True):
            run.wait_phase(phase)
            FAULTS[fault](run.name, run.process.pid)
        run.end()
        yield run
    finally:
        run.close()


def failed(run: Run, check: str) -> list[str]:
    """Return the subjects of a check that failed."""
    checks = run.result["fidelity"]["checks"]
    return [it["subject"] for it in checks if it["name"] == check and not it["ok"]]


def test_a_run_that_is_not_faithful_ends_with_4_when_that_is_asked_for(run: Run) -> None:
    assert run.process.returncode == 4, run.end()
    assert run.result["status"] == "finished"
    assert run.result["fidelity"]["verdict"] == "invalid"
    assert run.left_behind() == []


@pytest.mark.parametrize(("fault", "phase"), [*zip(FAULTS, PHASES, strict=True)])
def test_a_fault_is_caught_and_its_phase_is_named(run: Run, fault: str, phase: str) -> None:
    subjects = failed(run, CAUGHT_BY[fault])
    assert any(phase in subject for subject in subjects), run.result["fidelity"]["reasons"]


def test_a_stolen_route_is_told_by_its_rule_and_left_its_span_empty(run: Run) -> None:
    (subject,) = failed(run, "rules changed by others")
    assert "switch north-border: somebody else made a rule of table 1, priority 60000" in subject
    assert "ipv4_dst" in subject
    (event, *_) = (it for it in run.events if it["kind"] == "rules changed by others")
    assert event["changes"] in (1, 2), "it was made, and removed within or after a second"
    crossed = [
        line["delivered"]
        for line in lines_of(run.folder / "spans.jsonl")
        if (line["span"], line["direction"]) == ("north-south", "forward")
    ]
    assert any(a == b for a, b in zip(crossed, crossed[4:], strict=False)), "for 0.8 s"
    assert crossed[-1] > crossed[len(crossed) // 2] > crossed[0], (
        "before and afterwards it was used"
    )


def test_a_wrong_rate_is_told_with_both_rates(run: Run) -> None:
    (subject,) = failed(run, "not as it was set")
    assert "rate_bps 4e+08, 8e+08 was asked for" in subject


def test_a_clock_that_is_set_is_named(run: Run) -> None:
    (subject,) = failed(run, "clock jump")
    assert subject.startswith("CLOCK_REALTIME, aged, ")


def test_others_that_took_the_processors_are_named(run: Run) -> None:
    subjects = failed(run, "processors taken by others in a second")
    assert any("python" in subject for subject in subjects), subjects


def test_the_machine_was_looked_at_every_second(run: Run) -> None:
    looks = lines_of(run.folder / "machine.jsonl")
    trained_s = looks[-1]["t_s"] - looks[0]["t_s"]
    assert len(looks) >= 0.6 * trained_s
    assert {look["phase"] for look in looks} == {"reference", *PHASES}
