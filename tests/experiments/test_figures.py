"""The report's pictures hold what they should, whatever the network looks like."""

from __future__ import annotations

from pathlib import Path

from experiments.coherence import NamedSteps, steps_of_phases
from experiments.figures import step_figure
from tests.fakes.runs import FakeRun


def named(run: FakeRun) -> list[NamedSteps]:
    phases = run.session.phases
    names = [phase.name for phase in phases]
    return list(zip(names, steps_of_phases(run.steps, phases), strict=True))


def test_the_step_figure_marks_phases_and_upgrades(tmp_path: Path) -> None:
    run = FakeRun(tmp_path / "run")
    run.record.close()
    html = step_figure(named(run), run.record.events, 0)
    for word in ("reference", "aged", "west-east upgraded", "spans aged", "step time (ms)"):
        assert word in html


def test_the_step_figure_of_a_run_that_stopped_in_its_reference(tmp_path: Path) -> None:
    run = FakeRun(tmp_path / "run")
    run.record.close()
    assert "reference" in step_figure([("reference", run.steps[:2])], [], 0)
