from __future__ import annotations

from typing import Any

import pytest

from experiments.dashboard.choices import fitting
from experiments.dashboard.facts import facts_of, told
from experiments.maplayout import km_of
from experiments.scenario import Scenario
from tests.fakes.scenarios import tiny
from topologies.spec import SpanSpec


def told_of(**changes: Any) -> dict[str, Any]:
    scenario = Scenario.model_validate(tiny(**changes))
    words = scenario.model_dump(mode="json", by_alias=True, exclude_none=True)
    return told(facts_of({"scenario": words, "run": "abc"}, "manifest.json"))


def test_quantities_are_those_of_the_real_system() -> None:
    (span,) = told_of(emulate={"bytes": "1/10", "time": 4})["spans"]
    assert span["state"]["rate_bps"] == 10**9  # of a campus: the reference comes first
    assert span["km"] == 100 and span["stated"]


def test_a_span_without_a_route_is_as_long_as_the_fibre_that_its_delay_takes() -> None:
    stated = {"rate": "1 Gbit/s", "delay": "2 ms"}
    assert km_of(SpanSpec.model_validate(stated)) == pytest.approx(408, abs=1)
    assert km_of(SpanSpec.model_validate({**stated, "route": "70 km"})) == 70


def test_upgrades_that_fit_are_offered_and_no_others() -> None:
    scenario = Scenario.model_validate(tiny())
    names = [name for name, _ in fitting(scenario, "west-east")]
    assert "coherent-400g" in names
    assert "better-fec" not in names, "nothing corrects errors there yet"
    assert "jumbo-frames" not in names, "connections that are open would not feel it"


@pytest.mark.parametrize(("strategy", "others"), [("ddp", True), ("powersgd", False)])
def test_strategies_are_offered_where_ranks_hold_what_others_need(
    strategy: str, others: bool
) -> None:
    offered = told_of(workload__strategy=strategy)["strategies"]
    assert strategy in offered
    assert ("local-sgd" in offered) == others and "serving" not in offered


def test_what_makes_it_incoherent_is_the_largest_campus_too() -> None:
    bounds = told_of(network__campuses__west={"workers": 3})["bounds"]
    assert bounds["degraded"] == 0.75
