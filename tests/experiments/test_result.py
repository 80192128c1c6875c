"""The contract for scripts, and the sentence for people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.ondisk import OnDisk
from experiments.result import event_results, headline, largest_campus_share, phase_results
from experiments.session import Session
from tests.fakes.runs import FakeRun
from topologies.spec import CampusSpec


@pytest.fixture
def run(tmp_path: Path) -> Iterator[FakeRun]:
    made = FakeRun(tmp_path / "run")
    yield made
    made.record.close()


def cut_short(session: Session, snapshots: int, phases: int) -> Session:
    states, counted = session.states[:phases], session.snapshots[:snapshots]
    return Session(OnDisk(session.phases[:phases]), OnDisk(states), OnDisk(counted))


def results_of(run: FakeRun, *, snapshots: int = 4, phases: int = 3, share: float = 0.5) -> Any:
    references, found = phase_results(
        run.steps,
        run.record.steps,
        cut_short(run.session, snapshots, phases),
        seed=1,
        largest_campus_share=share,
    )
    return (references[0] if references else None), found


def test_phases_are_compared_with_the_reference(run: FakeRun) -> None:
    reference, (aged, upgraded) = results_of(run)
    assert reference["steps_per_s"] == 10.0
    assert reference["step_ms"] == {
        **{"p50": 100.0, "p99": 100.0, "mean": 100.0},
        **{"p50_ci": [100.0, 100.0], "mean_ci": [100.0, 100.0]},
    }
    assert (reference["from_step"], reference["to_step"]) == (1, 3)
    assert reference["warm_up_steps"] == 1
    assert reference["loss"] is None
    assert (aged["name"], aged["from_step"], aged["to_step"]) == ("aged", 4, 8)
    assert aged["steps_per_s"] == 2.5
    assert aged["coherence"] == 0.25
    assert aged["coherence_ci"] == [0.25, 0.25]
    assert aged["warm_up_steps"] == 0
    assert aged["settled"] == {
        **{"steps_per_s": 2.5, "coherence": 0.25},
        **{"coherence_ci": [0.25, 0.25]},
    }
    assert aged["class"] == "incoherent"
    assert (upgraded["name"], upgraded["from_step"]) == ("west-east upgraded", 9)
    assert upgraded["coherence"] == pytest.approx(100 / 105, abs=1e-4)
    assert upgraded["class"] == "coherent"


def test_spans_of_a_phase_are_as_they_were_in_it(run: FakeRun) -> None:
    _, (aged, upgraded) = results_of(run)
    assert aged["spans"] == {
        "west-east": {"rate_bps": 10**7, "rtt_ns": 8 * 10**6, "loss": 0.0, "bytes": 6000}
    }
    assert upgraded["spans"]["west-east"]["rate_bps"] == 40 * 10**9
    assert upgraded["spans"]["west-east"]["bytes"] == 9000


def test_a_run_that_stopped_early_keeps_the_phases_it_had(run: FakeRun) -> None:
    reference, phases = results_of(run, snapshots=2, phases=2)
    assert reference is not None
    assert [phase["name"] for phase in phases] == ["aged"]
    assert results_of(run, snapshots=1, phases=1)[1] == []
    assert results_of(run, snapshots=0, phases=0) == (None, [])


def test_a_reference_of_nothing_but_warm_up_is_none(run: FakeRun) -> None:
    run.record.steps = [step for step in run.record.steps if step["step"] < 2]
    assert results_of(run) == (None, [])


def test_a_large_campus_makes_a_slow_phase_incoherent(run: FakeRun) -> None:
    _, (_, upgraded) = results_of(run, share=0.97)
    assert upgraded["class"] == "incoherent"


def test_events_say_how_long_training_took_to_recover(run: FakeRun) -> None:
    events = event_results(run.record.events, run.steps, run.session.phases)
    assert [(e["kind"], e["step"], e["target"], e["with"]) for e in events] == [
        ("age", 4, "west-east", None),
        ("upgrade", 9, "west-east", "coherent-400g"),
    ]
    assert [event["recovery_s"] for event in events] == [0.4, 0.105]
    assert [event["t_s"] for event in events] == [1.4, 3.4]


def test_the_largest_campus_alone_keeps_its_own_pace() -> None:
    def share(*campuses: tuple[int, float | list[float]]) -> float:
        specs = [{"workers": workers, "speed": speed} for workers, speed in campuses]
        return largest_campus_share(
            {str(at): CampusSpec.model_validate(it) for at, it in enumerate(specs)}
        )

    assert share((2, 1), (2, 1)) == 0.5
    assert share((3, 1), (1, 1)) == 0.75
    assert share((2, 1), (2, 0.5)) == 1.0, "together they keep the slow ones' pace"
    assert share((2, [1, 0.5]), (2, 0.5)) == 0.5, "so does a campus that has a slow one"
    assert share((1, 1), (1, 0.25)) == 2.0


def test_other_events_are_not_changes(run: FakeRun) -> None:
    run.record.event("ranks ready", setup_s=0.1)
    assert len(event_results(run.record.events, run.steps, run.session.phases)) == 2


def phase(name: str, coherence: float, kind: str = "degraded") -> dict[str, Any]:
    return {"name": name, "coherence": coherence, "class": kind}


def told(*phases: dict[str, Any], status: str = "finished", verdict: str = "faithful") -> str:
    return headline(
        {
            "phases": list(phases),
            "status": status,
            "fidelity": {"verdict": verdict, "reasons": []},
            "reference": {"steps_per_s": 10.0},
        }
    )


def test_the_headline_tells_what_each_upgrade_restored() -> None:
    assert told(
        phase("aged", 0.181, "incoherent"),
        phase("north-south upgraded", 0.614),
        phase("south-east upgraded", 0.969, "coherent"),
    ) == (
        "Upgrading north-south took coherence from 0.18 to 0.61; with south-east, 0.97 (coherent)."
    )


def test_the_headline_without_upgrades() -> None:
    assert told(phase("aged", 0.5)) == "The spans as they are give coherence 0.50 (degraded)."


@pytest.mark.parametrize("verdict", ["degraded", "invalid"])
def test_the_headline_warns_of_what_cannot_be_relied_on(verdict: str) -> None:
    sentence = told(phase("aged", 0.5), verdict=verdict)
    assert verdict in sentence
    assert "emulation" in sentence
    assert "emulation" not in told(phase("aged", 0.5))


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_the_headline_of_a_run_that_did_not_finish(status: str) -> None:
    assert status in told(phase("aged", 0.5), status=status, verdict="invalid")
    assert status in told(status=status, verdict="invalid")
