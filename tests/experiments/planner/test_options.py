"""What can be done to a span."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.planner.options import MOST_TOGETHER, option, options_of
from experiments.scenario import Scenario
from tests.fakes.scenarios import tiny
from topologies.errors import PhysicsError

AGED = {"route": "70 km", "condition": "aged-10g-ook", "age": "15 years"}


def scenario(span: dict[str, Any], **plan: Any) -> Scenario:
    data = tiny(**{"network__spans__west-east": span, "timeline": []})
    return Scenario.model_validate({**data, "plan": plan})


def test_the_first_option_is_the_span_as_it_is() -> None:
    options, singles, refusals = options_of(scenario(AGED), "west-east")
    assert options[0].upgrades == ()
    assert options[0].cost_usd == 0
    assert all(it.upgrades for it in options[1:])
    assert all(len(it.upgrades) <= MOST_TOGETHER for it in options)
    assert {name for it in singles for name in it.upgrades} >= {"coherent-400g", "enable-fec"}
    reasons = {refusal.upgrade: refusal.reason for refusal in refusals}
    assert "enable-fec comes first" in reasons["better-fec"]
    assert "no coherent optics" in reasons["rate-adapt"]


def test_upgrades_that_need_another_come_with_it() -> None:
    options, _, _ = options_of(scenario(AGED), "west-east")
    assert any(it.upgrades == ("enable-fec", "better-fec") for it in options) or all(
        "better-fec" not in it.upgrades for it in options
    )


def test_no_option_is_dominated_by_another() -> None:
    options, _, _ = options_of(scenario(AGED), "west-east")
    for one in options[1:]:
        assert not any(other is not one and other.dominates(one) for other in options)


def test_prices_are_the_users_before_the_catalogues() -> None:
    stated = scenario(AGED, costs={"coherent-400g": 250_000})
    assert option(stated, "west-east", ("coherent-400g",)).cost_usd == 250_000
    assert option(scenario(AGED), "west-east", ("coherent-400g",)).cost_usd is None
    wave = option(scenario(AGED, months=12), "west-east", ("parallel-wave",))
    assert wave.cost_usd == 12 * 1500
    straight = option(scenario(AGED), "west-east", ("straighten-route",))
    assert straight.cost_usd == pytest.approx(59_055 * 70 * 1.3 / 2.1, rel=1e-3)


def test_only_the_named_upgrades_are_weighed() -> None:
    options, singles, refusals = options_of(
        scenario(AGED, upgrades=["coherent-100g", "enable-fec"]), "west-east"
    )
    named = {name for it in [*options, *singles] for name in it.upgrades}
    assert named | {refusal.upgrade for refusal in refusals} == {"coherent-100g", "enable-fec"}


def test_an_upgrade_that_does_not_fit_says_why() -> None:
    with pytest.raises(PhysicsError, match="enable-fec comes first"):
        option(scenario(AGED), "west-east", ("better-fec",))
    with pytest.raises(PhysicsError, match="packets have"):
        option(scenario(AGED), "west-east", ("jumbo-frames",))
