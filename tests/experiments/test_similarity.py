"""Which groups a twin keeps, and which it says are broken."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.scaling import emulated
from experiments.similarity import Group, groups_of, groups_of_run, summary, verdict
from experiments.twin import twin_of
from tests.fakes.scenarios import ring, scenario_of, tiny
from topologies.linkstate import Duplex, LinkState, Loss

SPAN = "network__spans__west-east"
LONG = Duplex.both(LinkState(100 * 10**9, 10**7, loss=Loss(1e-9), mtu=1500))
"""20 ms of 100 Gbit/s: 165,000 packets on the way, so that windows are large at any scale."""


def groups(control: str = "reno", **emulate: Any) -> dict[str, Group]:
    data = {**ring(), "emulate": emulate}
    data["network"] |= {"congestion_control": control, "window": "1 GB"}
    scenario = scenario_of(data)
    states = {"north-south": LONG}, {"north-south": emulated(LONG, scenario)}
    return {group.name: group for group in groups_of(scenario, twin_of(scenario), *states)}


@pytest.mark.parametrize("connections", [None, 1, 10, 32, 1000])
@pytest.mark.parametrize("control", ["reno", "cubic", "bbr"])
def test_windows_and_losses_are_kept_by_any_number_of_connections(
    control: str, connections: int | None
) -> None:
    found = groups(control, bytes="1/1000", time=1, connections=connections)
    for name in ("bandwidth", "window", "slow start", "loss", "timeout", "queue"):
        if name == "slow start" and connections in (1, 10, 32):
            continue  # its first window would be less than a segment
        assert found[name].kept, found[name]


def test_the_root_of_the_scale_keeps_the_number_of_losses_too() -> None:
    """Where connections are b^(-1/2), the loss that Reno wants is that which a step wants."""
    counts = {m: groups(bytes="1/1024", time=1, connections=m) for m in (1, 32, 1024)}
    name = "losses of a step"
    assert [counts[m][name].kept for m in (1, 32, 1024)] == [False, True, False]
    assert counts[32]["loss"].kept
    assert counts[32][name].real == pytest.approx(counts[32][name].emulated, rel=1e-4)


def test_cubic_alone_grows_by_the_clock() -> None:
    """Time is no scale of its window, so only a loss that is scaled keeps its share."""
    for control, kept in (("reno", True), ("cubic", False)):
        assert groups(control, bytes="1/1000", time=4)["loss"].kept is kept
    assert groups("cubic", bytes="1/1000", time=4, connections=999)["loss"].kept


def test_latency_is_kept_while_segments_are_as_many() -> None:
    assert groups(bytes="1/1000", time=2)["latency"].kept
    assert not groups(bytes="1/1000", time=2, connections=1)["latency"].kept


def test_a_timer_at_its_bound_is_broken() -> None:
    assert groups(bytes="1/1000", time=4)["timeout"].kept
    assert not groups(bytes="1/1000", time="1/20")["timeout"].kept


def test_outages_are_kept_and_so_is_patience_where_it_is_stated() -> None:
    event = {"at": "step 9", "fail": "west-east", "for": "50 ms"}
    data = tiny(timeline=[event], emulate={"bytes": "1/10", "time": 3})
    scenario = scenario_of(data)
    found = {group.name: group for group in groups_of_run(scenario, twin_of(scenario))}
    assert (found["outage"].real, found["outage"].emulated) == (2.5, 2.5)
    assert "patience" not in found
    data["workload"]["timeout"] = "10 s"
    scenario = scenario_of(data)
    found = {group.name: group for group in groups_of_run(scenario, twin_of(scenario))}
    assert found["patience"].real == found["patience"].emulated == pytest.approx(0.005)


def test_every_state_of_every_span_is_told() -> None:
    scenario = scenario_of(tiny())
    found = groups_of_run(scenario, twin_of(scenario))
    assert {(group.span, group.state) for group in found} == {
        ("west-east", "aged"),
        ("west-east", "coherent-400g"),
    }
    told = summary(scenario, twin_of(scenario))
    assert (told["bytes"], told["time"], told["connections"]) == ("1/10", "1", 10.0)
    assert told["chosen"] is False and told["because"] == [] and told["carrying"] is None
    assert {"span", "state", "name", "definition", "real", "emulated", "kept"} == set(
        told["groups"][0]
    )


def test_a_sentence_says_what_is_kept_and_where_not() -> None:
    told = [
        {"span": "a", "state": "aged", "name": "bandwidth", "kept": True},
        {"span": "a", "state": "aged", "name": "queue", "kept": False},
        {"span": "b", "state": "aged", "name": "queue", "kept": True},
        {"span": "a", "state": "aged", "name": "latency", "kept": False},
    ]
    said = "Kept: bandwidth. Broken: queue (on a aged), latency."
    assert verdict(told) == said
    assert verdict([]) == "Kept: nothing. Broken: nothing."
