"""The plan of small scenarios: the answer, its contract, what moves it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from experiments.planner import search
from experiments.planner.confirm import STEPS, twin_through
from experiments.planner.options import options_of
from experiments.planner.page import write_plan
from experiments.planner.plan import best, plan, recommended, without_campus, worth_of
from experiments.planner.wording import answer_sentence, days, money
from experiments.scenario import Scenario
from tests.fakes.scenarios import tiny

AGED = {"route": "70 km", "condition": "aged-10g-ook", "age": "15 years"}
COSTS = {"coherent-400g": 400_000, "coherent-100g": 100_000, "enable-fec": 20_000}


def scenario(**changes: Any) -> Scenario:
    data = tiny(
        **{
            "network__spans__west-east": AGED,
            "timeline": [],
            "network__campuses__west__accelerators": 600,
            "network__campuses__east__accelerators": 400,
            "workload__gradients": "500 MB",
            "workload__bucket": "100 MB",
            "workload__compute": "100 ms",
            "network__campuses__west__fabric__rate": "400 Gbit/s",
            "network__campuses__east__fabric__rate": "400 Gbit/s",
            "emulate": {"bytes": "1/250", "time": 4},
        }
    )
    rest = {"plan": {"costs": COSTS, "upgrades": list(COSTS), "accelerator_hour": 2}}
    return Scenario.model_validate({**data, **rest, **changes})


def test_the_cheapest_set_that_reaches_the_target() -> None:
    answer = plan(scenario(), target=0.9)
    assert answer.base.outlook.coherence < 0.5
    assert answer.cheapest is not None
    assert answer.cheapest.outlook.coherence >= 0.9
    assert answer.cheapest.cost_usd == min(
        choice.cost_usd
        for choice in (answer.base, *answer.choices)
        if choice.cost_usd is not None and choice.outlook.coherence >= 0.9
    )
    assert "upgrade sets evaluated" in answer.method
    assert answer.waste is not None
    assert answer.waste.stranded == pytest.approx((1 - answer.base.outlook.coherence) * 1000)
    assert answer.cheapest.payback_days is not None
    assert {lease.campus for lease in answer.leases} == {"west", "east"}


def test_many_sets_are_told_of_beforehand_and_answered_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    few = plan(scenario(), 0.9, tell=told.append)
    assert not told
    monkeypatch.setattr(search, "MOST_SETS", 1)
    many = plan(scenario(), 0.9, tell=told.append)
    assert "upgrade sets, which may take minutes" in told[0]
    assert few.cheapest and many.cheapest and many.cheapest.name == few.cheapest.name
    assert "branch and bound" in many.method


def test_a_budget_that_buys_nothing_useful() -> None:
    answer = plan(scenario(), target=0.95, budget_usd=30_000)
    assert answer.cheapest is None
    assert all(choice.cost_usd is not None for choice in answer.choices)
    assert all((choice.cost_usd or 0) <= 30_000 for choice in answer.choices)
    assert "No upgrade set within the budget" in answer_sentence(answer)


def test_the_contract_for_scripts() -> None:
    data = json.loads(json.dumps(plan(scenario(), 0.9).to_json()))
    assert {"target", "cheapest", "choices", "pareto"} <= set(data)
    keys = {"upgrades", "cost_usd", "coherence", "coherence_ci", "dominant", "measured"}
    assert keys <= set(data["choices"][0])
    assert {"upgrades", "cost_usd", "coherence"} <= set(data["cheapest"])
    costs = [choice["cost_usd"] for choice in data["pareto"]]
    assert costs == sorted(costs)


def test_prices_that_nobody_states_are_not_invented() -> None:
    bare = scenario(plan={"upgrades": list(COSTS)})
    answer = plan(bare, 0.9)
    assert answer.cheapest is not None
    assert answer.cheapest.cost_usd is None
    assert answer.waste is None
    assert "nobody has stated the price" in answer_sentence(answer)


def test_what_the_answer_hangs_on() -> None:
    answer = plan(scenario(), 0.9)
    widths = [swing.width for swing in answer.swings]
    assert widths == sorted(widths, reverse=True)
    names = {swing.assumption for swing in answer.swings}
    assert {"compute per step", "gradients", "an accelerator's hour", "costs"} <= names


def test_outages_take_their_share() -> None:
    spans = {"west-east": {**AGED, "failures": {"mtbf": "90 h", "mttr": "10 h"}}}
    failing = scenario()
    network = failing.network.model_validate(
        {**failing.network.model_dump(mode="json", by_alias=True), "spans": spans}
    )
    answer = plan(failing.model_copy(update={"network": network}), 0.9)
    outlook = answer.base.outlook
    assert outlook.coherence == pytest.approx(outlook.while_up * 0.9)


def test_two_campuses_without_one_are_one() -> None:
    answer = plan(scenario(), 0.9)
    assert without_campus(scenario(), "west", recommended(answer)) == 1.0


def test_the_twin_for_confirmation_goes_through_every_set() -> None:
    answer = plan(scenario(), 0.9)
    chosen = best(answer, 2)
    states = [choice.states for choice in (answer.base, *chosen)]
    plain, twin = twin_through(scenario(), states)
    assert plain.workload.steps == plain.workload.reference_steps + STEPS * len(states)
    assert [change.phase for change in twin.changes] == ["aged", "set 1", "set 2"][: len(states)]
    steps = [change.step for change in twin.changes]
    assert steps == sorted(steps)


def test_the_page_stands_alone(tmp_path: Any) -> None:
    answer = plan(scenario(), 0.9)
    write_plan(tmp_path / "plan.html", scenario(), answer)
    text = (tmp_path / "plan.html").read_text()
    assert answer_sentence(answer).split(" ")[0] in text
    assert "Plotly" in text
    assert 'src="http' not in text


def test_money_and_days() -> None:
    assert [money(usd) for usd in (None, 0, 950, 12_345, -2.61e6, 3e9)] == [
        "unknown", "$0", "$950", "$12.3 k", "-$2.61 M", "$3 G",
    ]  # fmt: skip
    assert [days(count) for count in (None, 3.14, 400)] == [
        "never, or unknown",
        "3.1 days",
        "1.1 years",
    ]


def test_the_bound_is_never_below_what_a_completion_reaches() -> None:
    three = tiny(
        **{
            "network__campuses__south": {"workers": 1, "fabric": {"kind": "star"}},
            "network__spans": {
                "west-east": AGED,
                "east-south": {"route": "60 km", "condition": "oc48-ring", "age": "20 years"},
                "west-south": {"route": "90 km", "condition": "coherent-100g"},
            },
            "timeline": [],
        }
    )
    names = ["coherent-400g", "straighten-route", "parallel-wave"]
    it = Scenario.model_validate({**three, "plan": {"upgrades": names}})
    options = {span: options_of(it, span)[0] for span in it.network.spans}
    worth = worth_of(it, options)
    sets = search.every_set([*options.values()])
    assert sets is not None
    values = worth.coherences(sets)
    for depth in (0, 1, 2):
        for chosen in {tuple(map(int, row[:depth])) for row in sets}:
            inside = (sets[:, :depth] == chosen).all(axis=1)
            assert worth.best_possible(chosen) >= values[inside].max() - 1e-9
    found = search.cheapest([*options.values()], worth, float(values.max()) * 0.98)
    assert found is not None
    assert found.coherence >= values.max() * 0.98
