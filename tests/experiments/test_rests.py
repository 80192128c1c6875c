"""What pauses and other strategies make of a result: time that counts nowhere, own references."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.coherence import PhasePlan, system_steps
from experiments.comparing import report
from experiments.finished import read_run
from experiments.goodput import goodput, interruptions
from experiments.happenings import planned_happenings
from experiments.manifest import manifest_of
from experiments.ondisk import OnDisk
from experiments.outcome import Outcome, finish
from experiments.repetitions import groups_of
from experiments.reports.remade import page_of
from experiments.rests import Rest, rested_ns
from experiments.result import event_results, leg_results, pause_results, phase_results
from experiments.session import LegRun, Session
from experiments.steering import session_yaml
from experiments.twin import Strategy, twin_of
from tests.fakes.runs import MACHINE, FakeRun
from tests.fakes.scenarios import scenario_of, tiny
from tests.fakes.steps import MS, rank_step
from topologies.emulation.impairer import Counters

DILOCO = {"every": 2}


def test_only_what_overlaps_counts() -> None:
    rests = [Rest(3, 100, 200), Rest(5, 300, 400)]
    assert rested_ns(rests, 0, 1000) == 200
    assert rested_ns(rests, 150, 350) == 100
    assert rested_ns(rests, 200, 300) == 0


def paused() -> list[dict[str, object]]:
    """Return steps of 100 ms, before the third of which training paused for 5 s."""
    begins = (0, 100, 5200, 5300)
    return [
        rank_step(step, at, at + 100, rank=rank)
        for step, at in enumerate(begins)
        for rank in (0, 1)
    ]


def test_a_pause_is_in_no_step_and_in_no_goodput() -> None:
    rest = Rest(2, 200 * MS, 5200 * MS)
    steps = system_steps(paused(), 2, [rest.end_ns])
    assert [step.duration_ns // MS for step in steps] == [100] * 4
    assert goodput(steps, [rest]) == 1.0
    stretched = system_steps(paused(), 2)
    assert stretched[2].duration_ns == 5100 * MS
    assert goodput(stretched) == pytest.approx(400 / 5400, abs=1e-4)


def test_recovery_does_not_wait_for_the_end_of_a_pause() -> None:
    rest = Rest(2, 200 * MS, 5200 * MS)
    steps = system_steps(paused(), 2, [rest.end_ns])
    phases = [PhasePlan("reference", 0), PhasePlan("west-east set", 1200 * MS)]
    happened = {"step": 2, "kind": "set", "target": "west-east", "upgrade": None}
    events = [{"t_s": 1.2, "at_ns": 1200 * MS, **happened}]
    (event,) = event_results(events, steps, phases, [rest])
    assert event["recovery_s"] == 0.1
    none = {"west-east": (Counters(), Counters())}
    legs = [LegRun((0, 1), 0, 0, none, none), LegRun((0, 1), 2, 5200 * MS, none, none)]
    (break_,) = interruptions(legs, steps, 0, [rest])
    assert break_["recovery_s"] == 0.1
    (told,) = pause_results([rest], 100 * MS)
    assert told == {"t_s": 0.1, "step": 2, "lasted_s": 5.0, "end_ns": rest.end_ns}


def test_the_start_of_another_strategy_is_in_no_step() -> None:
    ddp, other = {"strategy": "ddp"}, {"strategy": "diloco", "options": DILOCO}
    legs = [
        LegRun((0, 1), 0, 0, {}, {}, **ddp),  # type: ignore[arg-type]
        LegRun((0, 1), 2, 200 * MS, {}, {}, **ddp),  # type: ignore[arg-type]
        LegRun((0, 1), 4, 900 * MS, {}, {}, **other),  # type: ignore[arg-type]
    ]
    session = Session(legs=legs, rests=[Rest(1, 50 * MS, 70 * MS)])
    assert session.since_ns == [70 * MS, 900 * MS]
    assert leg_results(session)[2]["strategy"] == {"name": "diloco", "every": 2}


def test_phases_are_compared_with_the_reference_of_their_own_strategy(tmp_path: Path) -> None:
    run = FakeRun(tmp_path / "run")
    first, aged, upgraded = run.session.phases
    reference = replace(aged, name="reference of diloco", reference=True)
    session = replace_phases(run.session, [first, reference, upgraded])
    references, phases = phase_results(
        run.steps,
        run.record.steps,
        session,
        seed=1,
        largest_campus_share=0.5,
        strategies=[Strategy(0, "ddp", {}), Strategy(4, "diloco", DILOCO)],
    )
    run.record.close()
    assert [it["name"] for it in references] == ["reference", "reference of diloco"]
    assert [it["period"] for it in references] == [1, 2]
    assert [it["steps_per_s"] for it in references] == [10.0, 2.5]
    (phase,) = phases
    assert (phase["strategy"], phase["against"]) == ("diloco", "reference of diloco")
    assert phase["coherence"] == pytest.approx(400 / 105, abs=1e-4)


def replace_phases(session: Session, phases: list[PhasePlan]) -> Session:
    return replace(session, phases=OnDisk(phases))


def test_a_pause_begins_no_phase() -> None:
    twin = twin_of(scenario_of(tiny(timeline=[{"at": "step 9", "pause": "5 s"}])))
    assert [[it.kind for it in group] for group in planned_happenings(twin)] == [["age"]]
    assert twin.pauses[0].lasts_ns == 5 * 10**9


def test_a_steered_run_is_read_back_as_it_came_to_be(tmp_path: Path) -> None:
    span = "west-east"
    changes = [{"at": "step 4", "pause": "1 s"}, {"at": "step 8", "set": span, "loss": 0.1}]
    run = FakeRun(tmp_path / "run", tiny(timeline=[]))
    first, aged, upgraded = run.session.phases
    reference = replace(aged, name="reference of diloco", reference=True)
    after = replace(upgraded, name="training by diloco")
    session = replace_phases(run.session, [first, reference, after])
    for at, leg in ((0, "ddp"), (4, "diloco")):
        options = DILOCO if at else {}
        begun = LegRun((0, 1), at, (1000 + 100 * at) * MS, {}, {}, strategy=leg, options=options)
        session.legs = [*session.legs[: bool(at)], begun]
        begun.begun = begun.ended = {span: (Counters(), Counters())}
    session.rests = [Rest(4, 1400 * MS, 1450 * MS)]
    manifest = manifest_of(run.scenario, Path("tiny.yaml"), "abc", run.twin, MACHINE)
    run.record.write("manifest.json", manifest)
    steered = scenario_of(tiny(timeline=changes))
    run.record.write("session.yaml", session_yaml(steered))
    strategies = (Strategy(0, "ddp", {}), Strategy(4, "diloco", DILOCO))
    twin = replace(twin_of(steered), strategies=strategies)
    finish(steered, twin, MACHINE, "abc", run.record, Outcome(session=session))
    found = read_run(run.record.folder)
    assert list(found.phases) == ["reference", "reference of diloco", "training by diloco"]
    assert found.against == {"training by diloco": "reference of diloco"}
    assert (found.period_of("reference"), found.period_of("training by diloco")) == (1, 2)
    assert [it["set"] for it in found.scenario["timeline"] if "set" in it] == [span]
    told = report(groups_of([found], unfaithful=True))
    coherence = {it["name"]: it["coherence"] for it in told["groups"][0]["phases"]}
    own = {it["name"]: it["settled"]["coherence"] for it in found.result["phases"]}
    assert coherence["training by diloco"] == pytest.approx(own["training by diloco"], abs=1e-3)
    assert told["comparisons"] == [], "no phase is compared with a reference unasked"
    page = page_of(found)
    assert "training by diloco" in page and "west-east, set: loss" in page
