"""``emulate: auto``: the scales that a machine's figures call for, and the words for them."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from experiments import carrying, carrymeasure
from experiments.autoscale import Load, choose, faults_of, load_of, round_down, settled
from experiments.carrying import REFERENCE, Carrying
from experiments.errors import RunFailed
from experiments.loading import load_twin
from experiments.scenario import Scenario, load_scenario
from experiments.twin import twin_of
from tests.fakes.scenarios import ring, scenario_of, tiny, write
from topologies.emulation.errors import EmulationError
from topologies.units import parse

SCENARIOS = sorted((Path(__file__).parents[2] / "experiments" / "scenarios").glob("*.yaml"))
FAST = Carrying(((1500, 20 * 10**9), (9000, 80 * 10**9)), 50_000, "a fast machine")
MACHINES = (REFERENCE, FAST)


def auto(data: dict[str, Any], **emulate: Any) -> Scenario:
    return scenario_of({**data, "emulate": emulate or "auto"})


@pytest.mark.parametrize("machine", MACHINES, ids=lambda it: it.machine)
@pytest.mark.parametrize("path", SCENARIOS, ids=lambda it: it.stem)
def test_every_bundled_scenario_finds_scales_that_keep_what_matters(
    path: Path, machine: Carrying
) -> None:
    stated = load_scenario(path)
    scenario = stated.model_copy(update={"emulate": auto(tiny()).emulate})
    choice = choose(scenario, machine)
    chosen, _ = settled(scenario, machine)
    assert (chosen.emulate.bytes, chosen.emulate.time) == (choice.bytes, choice.time)
    assert not [reason for reason in choice.because if reason.startswith("not kept")]
    twin, load = twin_of(chosen), load_of(scenario)
    carried = machine.switched_bps(scenario.network.mtu)
    assert load.switched_bps * choice.bytes / choice.time <= carried / 2
    for change in twin.changes:
        assert change.emulated.round_trip_ns >= 2 * machine.path_ns
    assert twin.compute_ns >= 10 * 35_000_000
    assert choice.bytes <= 1


def test_a_faster_machine_takes_more_bytes_and_less_time() -> None:
    slow, fast = (choose(auto(ring()), machine) for machine in MACHINES)
    assert fast.bytes / fast.time > 5 * slow.bytes / slow.time
    assert fast.time <= slow.time


def test_the_same_file_and_figures_give_the_same_choice() -> None:
    assert choose(auto(ring()), REFERENCE) == choose(auto(ring()), REFERENCE)


def test_what_is_stated_is_kept() -> None:
    choice = choose(auto(ring(), time=3), REFERENCE)
    assert choice.time == 3
    assert choice.because[1] == "time 3: as stated"
    choice = choose(auto(ring(), bytes="1/500"), REFERENCE)
    assert choice.bytes == Fraction(1, 500)
    assert choice.because[0] == "bytes 1/500: as stated"
    assert choice.bytes / choice.time <= round_down(Fraction(1, 100))
    scenario = scenario_of(ring())
    assert settled(scenario, REFERENCE) == (scenario, None)


def test_what_a_stated_scale_breaks_is_said() -> None:
    reasons = choose(auto(ring(), time="1/10"), REFERENCE).because
    assert any("not kept: the round trip of" in reason for reason in reasons)


def test_a_small_system_is_not_made_larger() -> None:
    choice = choose(auto(tiny()), FAST)
    assert choice.bytes <= 1
    assert choice.bytes / choice.time <= 1


LOAD = Load(10**12, ("a-b", 10**6), 10**8, 40, 10, 10**7, 9000, True, 10**10)


@pytest.mark.parametrize(
    ("change", "byte_scale", "time", "words"),
    [
        ({}, "1/500", "4", ""),
        ({}, "1/50", "4", "within what the switches carry"),
        ({"shortest": ("a-b", 10**5)}, "1/500", "4", "round trip of a-b, 100 us"),
        ({"shortest": ("", 0)}, "1/500", "4", ""),
        ({"compute_ns": 10**7}, "1/500", "4", "compute, 10 ms"),
        ({"rounds": 400}, "1/500", "4", ""),
        ({"rounds": 2000}, "1/500", "4", "takes by itself, 268.3 ms"),
        ({"last_rounds": 100}, "1/500", "4", "takes by itself, 85 ms"),
        ({"message_bytes": 10**5}, "1/500", "4", "smallest message, 100 kB"),
        ({"compute_ns": 10**10}, "1/5000", "1/5", "TCP's shortest timeout"),
        ({"compute_ns": 10**10, "timers": False}, "1/5000", "1/5", "round trip"),
        ({"run_ns": 10**13}, "1/500", "4", "take fewer steps"),
    ],
)
def test_each_limit_is_told(change: dict[str, Any], byte_scale: str, time: str, words: str) -> None:
    load = Load(**{**vars(LOAD), **change})
    faults = faults_of(load, Fraction(byte_scale), Fraction(time), REFERENCE, Fraction(1, 1000))
    assert bool(faults) == bool(words)
    assert any(words in fault for fault in faults) or not words


@pytest.mark.parametrize(
    ("rate", "rounded"),
    [
        ("1", "1"),
        ("7", "1"),
        ("9/10", "4/5"),
        ("1/7", "1/8"),
        ("1/1999", "1/2000"),
        ("1/2000", "1/2000"),
    ],
)
def test_rates_are_rounded_down(rate: str, rounded: str) -> None:
    assert round_down(Fraction(rate)) == Fraction(rounded)


def test_a_frame_of_any_length_costs_between_those_measured() -> None:
    small, middle, large = (REFERENCE.switched_bps(mtu) for mtu in (1500, 4000, 9000))
    assert small < middle < large
    assert large == pytest.approx(2 * 1.815e9 * 9014 / 8948)
    assert REFERENCE.switched_bps(1280) > 0


def test_figures_are_kept_for_the_machine_they_were_measured_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "KEPT", tmp_path / "machine" / "carrying.json")
    assert carrying.known() == REFERENCE
    carrying.keep(FAST)
    assert carrying.known() == FAST
    data = json.loads(carrying.KEPT.read_text())
    carrying.KEPT.write_text(json.dumps({**data, "identity": "another"}))
    assert carrying.known() == REFERENCE
    carrying.KEPT.write_text("{")
    assert carrying.known() == REFERENCE


def test_a_file_is_loaded_with_its_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "KEPT", tmp_path / "carrying.json")
    scenario, twin = load_twin(write(tmp_path, {**ring(), "emulate": "auto"}))
    assert not scenario.emulate.auto
    assert twin.carrying == REFERENCE
    assert twin.because == choose(auto(ring()), REFERENCE).because
    _, twin = load_twin(write(tmp_path, ring()))
    assert (twin.because, twin.carrying) == ((), None)


def test_a_machine_is_measured_once_and_only_where_scales_are_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "KEPT", tmp_path / "carrying.json")
    monkeypatch.setattr(carrymeasure, "measure", lambda: FAST)
    said: list[str] = []
    carrymeasure.ensure_known(write(tmp_path, ring()), said.append)
    assert (said, carrying.kept()) == ([], None)
    for _ in range(2):
        carrymeasure.ensure_known(write(tmp_path, {**ring(), "emulate": "auto"}), said.append)
        assert carrying.kept() == FAST
    assert said == ["measuring what this machine carries, once"]


def test_a_machine_that_cannot_be_measured_fails_as_a_run_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> Carrying:
        raise EmulationError("no TCP connection came about")

    monkeypatch.setattr(carrymeasure, "measure", fail)
    with pytest.raises(RunFailed, match="could not be measured: no TCP connection"):
        carrymeasure.renew()


def test_the_run_that_is_foretold_follows_the_slowest_span() -> None:
    data = tiny(timeline=None)  # 10 steps of 4 MB both ways over 100 Mbit/s, 4 over 1 Gbit/s
    expected_ns = 10 * 320 * 10**6 + 4 * 32 * 10**6
    assert load_of(auto(data)).run_ns == pytest.approx(expected_ns, rel=0.01)
    data["workload"]["compute"] = "1 s"
    assert load_of(auto(data)).run_ns == pytest.approx(14 * parse("1 s", "duration"))
