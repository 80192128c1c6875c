"""The study of verdicts counts rightly, and its scenarios are good ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults import CAUGHT_BY, FAULTS, detour
from benchmarks.verdicts import DEMO, FAULTY, Found, faulty, told
from experiments.loading import load_twin
from experiments.scenario import load_scenario

GOOD = Found("faithful", {}, [])
BUSY = Found("degraded", {"processors taken by others": ["aged"], "rate": ["x"]}, ["..."])
FALSE = Found("degraded", {"rate": ["x"]}, ["..."])


def test_a_busy_machine_is_no_false_alarm_and_no_clean_run_either() -> None:
    assert told(None, [GOOD, GOOD, BUSY, FALSE]) == "| clean demo | 4 | 2 | 1 | 1 |"


def test_only_the_check_that_is_made_for_a_fault_catches_it() -> None:
    assert told("wrong rate", [GOOD, FALSE]) == "| wrong rate | 2 | 0 | 2 | |"
    caught = Found("invalid", {"not as it was set": ["x"]}, ["..."])
    assert told("wrong rate", [caught]) == "| wrong rate | 1 | 1 | 0 | |"
    assert set(CAUGHT_BY) == {*FAULTS, "clock set"}


@pytest.mark.parametrize("file", [DEMO, FAULTY])
def test_a_route_can_be_stolen_in_the_scenarios(file: Path) -> None:
    graph = load_twin(file)[1].graph
    switch, network, port = detour(graph)
    ends = [{(it.a, it.a_port), (it.b, it.b_port)} for it in graph.spans.values()]
    (other,) = (both for both in ends if (switch, port) in both)
    campus = {it.name: it.campus for it in graph.switches}
    prefix = network.removesuffix("0.0/16")
    (stolen,) = {host.campus for host in graph.workers if host.ip.startswith(prefix)}
    assert stolen not in {campus[name] for name, _ in other}


def test_the_scenario_of_faults_has_one_phase_after_the_reference(tmp_path: Path) -> None:
    scenario = load_scenario(faulty(tmp_path))
    assert not scenario.timeline
