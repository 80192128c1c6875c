"""Events of the timeline: each kind complete, and what it makes of the spans."""

from __future__ import annotations

import json
from typing import Any

import pytest

from experiments.changes import Change
from experiments.scenario import Scenario, load_scenario
from experiments.timeline import TimelineEvent
from experiments.twin import Twin, twin_of
from tests.fakes.scenarios import ring, scenario_of, tiny
from topologies.errors import NetworkError
from topologies.files import FileError

MS = 10**6
SPAN = "west-east"
TWO_WAYS = {
    "network__spans__second": {"between": ["west", "east"], "rate": "1 Gbit/s", "delay": "9 ms"}
}
AGED = {"route": "70 km", "condition": "aged-10g-ook", "age": "15 years"}


def twin(timeline: list[dict[str, Any]], span: dict[str, Any] | None = None, **more: Any) -> Twin:
    data = tiny(**{f"network__spans__{SPAN}": span or AGED, "timeline": timeline, **more})
    return twin_of(Scenario.model_validate(data))


def last(it: Twin) -> Change:
    return it.changes[-1]


@pytest.mark.parametrize(
    ("event", "kind", "target"),
    [
        ({"upgrade": SPAN, "with": "coherent-400g"}, "upgrade", SPAN),
        ({"age": SPAN, "by": "5 years"}, "age", SPAN),
        ({"fail": SPAN, "for": "2 s"}, "fail", SPAN),
        ({"fail": SPAN}, "fail", SPAN),
        ({"restore": SPAN}, "restore", SPAN),
        ({"drain": SPAN}, "drain", SPAN),
        ({"undrain": SPAN}, "undrain", SPAN),
        ({"policy": "ecmp"}, "policy", "ecmp"),
    ],
)
def test_every_kind_of_event(event: dict[str, Any], kind: str, target: str) -> None:
    it = TimelineEvent.model_validate({"at": "step 3", **event})
    assert (it.kind, it.target) == (kind, target)


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        ({}, "says one of upgrade, age, fail, restore"),
        ({"fail": SPAN, "restore": SPAN}, "says one of"),
        ({"upgrade": SPAN}, 'upgrade needs "with"'),
        ({"age": SPAN}, 'age needs "by"'),
        ({"fail": SPAN, "with": "coherent-400g"}, '"with" does not belong to fail'),
        ({"fail": SPAN, "times": 3}, 'times needs "for"'),
        ({"restore": SPAN, "for": "1 s"}, '"for" does not belong to restore'),
        ({"drain": SPAN, "for": "1 s"}, '"for" does not belong to drain'),
        ({"upgrade": SPAN, "with": "x", "for": "1 s", "times": 2}, '"times" does not belong'),
    ],
)
def test_an_event_that_is_not_whole(event: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        TimelineEvent.model_validate({"at": "step 3", **event})


def test_a_short_outage_replays_down_and_up() -> None:
    it = twin([{"at": "step 9", "fail": SPAN, "for": "50 ms"}])
    change = last(it)
    assert change.emulated.forward.up
    replay = it.replay_of(change, since_ns=0)
    assert [(at, state.forward.up) for at, state in replay] == [
        (0, True), (0, False), (50 * MS, True),
    ]  # fmt: skip
    assert it.final[SPAN].forward.up
    assert SPAN in it.traces


def test_a_black_hole_loses_everything_and_leaves_the_ports_up() -> None:
    it = twin([{"at": "step 9", "fail": SPAN, "for": "50 ms", "silent": True}])
    hole = [state for at, state in it.replay_of(last(it), 0)][1]
    assert all(way.up and way.mean_loss == 1.0 for way in hole.ways)
    assert it.final[SPAN] == it.initial[SPAN]


def test_a_flapping_line_is_as_long_up_as_down() -> None:
    it = twin([{"at": "step 9", "fail": SPAN, "for": "10 ms", "times": 3}])
    downs = [at // MS for at, state in it.replay_of(last(it), 0) if not state.forward.up]
    assert downs == [0, 20, 40]


def test_an_outage_is_scaled_in_time() -> None:
    it = twin(
        [{"at": "step 9", "fail": SPAN, "for": "50 ms"}], emulate={"bytes": "1/10", "time": 3}
    )
    assert last(it).outages == ((0, 150 * MS),)


def test_down_until_it_is_restored() -> None:
    it = twin([{"at": "step 6", "fail": SPAN}, {"at": "step 9", "restore": SPAN}])
    _, failed, restored = it.changes
    assert not failed.emulated.forward.up
    assert it.replay_of(failed, 0) == []
    assert restored.emulated.forward.up
    assert restored.emulated == it.initial[SPAN]


def test_one_cut_takes_every_span_of_a_duct() -> None:
    it = twin_of(
        Scenario.model_validate(
            tiny(
                **{
                    "network__campuses__south": {"workers": 1, "fabric": {"kind": "star"}},
                    "network__spans": {
                        SPAN: {**AGED, "duct": "valley"},
                        "east-south": {**AGED, "duct": "valley"},
                    },
                    "timeline": [{"at": "step 9", "fail": "valley", "for": "1 s"}],
                }
            )
        )
    )
    assert {change.span for change in it.changes if change.kind == "fail"} == {SPAN, "east-south"}


def test_a_campus_is_cut_off_by_all_of_its_spans() -> None:
    cut = {"at": "step 19", "fail": "south", "for": "1 s"}
    it = twin_of(scenario_of({**ring(), "timeline": [cut]}))
    failed = {change.span for change in it.changes if change.kind == "fail"}
    assert failed == {"north-south", "south-east"}


def test_years_pass_on_the_timeline() -> None:
    it = twin([{"at": "step 9", "age": SPAN, "by": "5 years"}])
    assert [change.kind for change in it.changes] == ["age", "age"]
    assert [change.first for change in it.changes] == [True, False]
    before, after = it.changes
    assert after.real.forward.mean_loss >= before.real.forward.mean_loss


def test_outages_are_drawn_from_the_seed_and_shared_by_a_duct() -> None:
    spec = {**AGED, "duct": "valley"}
    changes: dict[str, Any] = {
        "network__outages": {"speed": 20_000_000},
        "network__campuses__south": {"workers": 1, "fabric": {"kind": "star"}},
        "network__spans": {SPAN: spec, "east-south": {**spec, "route": "60 km"}},
    }
    data = tiny(timeline=[], **changes)
    it = twin_of(Scenario.model_validate(data))
    assert it.outages[SPAN]
    assert it.outages[SPAN] == it.outages["east-south"]
    assert twin_of(Scenario.model_validate(data)).outages == it.outages
    other = twin_of(Scenario.model_validate({**data, "seed": 4}))
    assert other.outages != it.outages
    begin, end = it.outages[SPAN][0]
    aged = next(change for change in it.changes if change.span == SPAN)
    later = it.replay_of(aged, since_ns=(begin + end) // 2)
    assert later[0][0] == later[1][0] == 0, "it is down already"
    assert not later[1][1].forward.up


def test_a_standby_route_leaves_a_hit_of_a_cut() -> None:
    it = twin(
        [
            {"at": "step 6", "upgrade": SPAN, "with": "diverse-route"},
            {"at": "step 9", "fail": SPAN, "for": "9 h"},
        ]
    )
    assert last(it).outages == ((0, 50 * MS),)


def test_a_microwave_link_takes_over() -> None:
    it = twin(
        [
            {"at": "step 6", "upgrade": SPAN, "with": "microwave-backup"},
            {"at": "step 9", "fail": SPAN, "for": "1 s"},
        ]
    )
    down = last(it).down
    assert down is not None
    assert down.forward.up
    assert down.forward.rate_bps == 10**8, "a tenth of 1 Gbit/s"


def test_a_catalogue_beside_the_scenario_is_taken_in(tmp_path: Any) -> None:
    more: dict[str, Any] = {
        "optics": {"lab-25g": {"kind": "ook", "rate": "25 Gbit/s", "budget_db": 30}},
        "upgrades": {"lab-upgrade": {"summary": "ours", "sets": {"optics": "lab-25g"}}},
    }
    (tmp_path / "catalogue.yaml").write_text(json.dumps(more))
    event = {"at": "step 9", "upgrade": SPAN, "with": "lab-upgrade"}
    data = tiny(**{f"network__spans__{SPAN}": AGED, "timeline": [event]})
    (tmp_path / "lab.yaml").write_text(json.dumps(data))
    scenario = load_scenario(tmp_path / "lab.yaml")
    assert last(twin_of(scenario)).real.forward.rate_bps == 25 * 10**9
    again = Scenario.model_validate(
        scenario.model_dump(mode="json", by_alias=True, exclude_none=True)
    )
    assert twin_of(again).changes == twin_of(scenario).changes, "what is recorded is complete"
    more["upgrades"]["lab-upgrade"]["sets"] = {"optics": "lab-26g"}
    (tmp_path / "catalogue.yaml").write_text(json.dumps(more))
    with pytest.raises(
        FileError, match=r"catalogue\.upgrades\.lab-upgrade\.sets\.optics: unknown optics"
    ):
        load_scenario(tmp_path / "lab.yaml")


def test_larger_packets_do_nothing_to_connections_that_are_open() -> None:
    with pytest.raises(ValueError, match="keep the packet size they agreed on"):
        twin([{"at": "step 9", "upgrade": SPAN, "with": "jumbo-frames"}])


def test_rain_fades_a_radio_link() -> None:
    radio = {"route": "40 km", "condition": "microwave-backup"}
    it = twin([], radio, network__outages={"speed": 500_000_000})
    (change,) = it.changes
    assert change.faded is not None
    assert change.faded.forward.rate_bps == change.emulated.forward.rate_bps // 4
    assert change.faded.forward.mean_loss == pytest.approx(1e-3)
    states = [state for _, state in it.replay_of(change, 0)]
    assert change.faded in states
    assert all(state.forward.up for state in states)


def test_failures_of_a_vendor() -> None:
    faulty = {**AGED, "failures": {"percentile": 0.5}}
    assert twin([], faulty, network__outages={"speed": 50_000_000}).outages[SPAN]
    with pytest.raises(ValueError, match="mtbf and mttr, or a percentile"):
        twin([], {**AGED, "failures": {"mtbf": "5 h"}})


def test_the_work_of_an_upgrade_takes_the_span_down() -> None:
    it = twin([{"at": "step 9", "upgrade": SPAN, "with": "coherent-400g", "for": "50 ms"}])
    change = last(it)
    replay = it.replay_of(change, since_ns=0)
    assert [(at, state.forward.up) for at, state in replay] == [
        (0, True), (0, False), (50 * MS, True),
    ]  # fmt: skip
    assert replay[-1][1] == change.emulated, "upgraded when it comes back"


def test_routing_is_changed_beside_the_spans() -> None:
    it = twin(
        [
            {"at": "step 7", "drain": SPAN},
            {"at": "step 8", "undrain": SPAN},
            {"at": "step 9", "policy": "ecmp"},
        ],
        **TWO_WAYS,
    )
    assert [(action.step, action.kind, action.target) for action in it.actions] == [
        (7, "drain", SPAN),
        (8, "undrain", SPAN),
        (9, "policy", "ecmp"),
    ]
    assert {change.kind for change in it.changes} == {"age"}


@pytest.mark.parametrize(
    ("timeline", "fault"),
    [
        ([{"at": "step 7", "undrain": SPAN}], "is not drained"),
        ([{"at": "step 7", "drain": SPAN}, {"at": "step 8", "drain": SPAN}], "is drained already"),
        ([{"at": "step 7", "policy": "ecpm"}], 'did you mean "ecmp"'),
        ([{"at": "step 7", "drain": "nowhere"}], "unknown span"),
    ],
)
def test_routing_that_cannot_be_changed_so(timeline: list[dict[str, Any]], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        twin(timeline, **TWO_WAYS)


def test_the_only_way_cannot_be_drained() -> None:
    with pytest.raises(ValueError, match='without "west-east" no span leads to campus "east"'):
        twin([{"at": "step 7", "drain": SPAN}])


def test_demands_that_a_policy_cannot_meet_are_refused_before_anything_is_built() -> None:
    over = {"from": "west", "to": "east", "over": ["second", SPAN]}
    routing = {"policy": "static", "demands": [over]}
    with pytest.raises(NetworkError, match=r"controller\.demands: static: "):
        twin([], **TWO_WAYS, controller=routing)
