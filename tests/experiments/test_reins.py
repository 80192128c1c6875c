"""Wishes come true before a step that no rank has begun; pauses end, and ranks go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from experiments.course import Course
from experiments.legs import Leg
from experiments.live import Live
from experiments.pace import Pace
from experiments.record import Record
from experiments.reins import Reins
from experiments.session import Session
from experiments.steering import words_of
from experiments.training import Training
from experiments.twin import twin_of
from experiments.wishes import FILE
from tests.experiments.test_wishes import Watcher
from tests.fakes.ranks import FakeRanks, able_network
from tests.fakes.scenarios import scenario_of, tiny

SPAN = "west-east"
STEPS = 60


class Ride:
    """Training up to a step, whose ranks a test holds the reins of."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        scenario = scenario_of(tiny(**{"workload__steps": STEPS, "timeline": [], **changes}))
        self.course = Course(scenario, twin_of(scenario))
        self.record, self.ranks, self.session = Record(folder), FakeRanks(), Session()
        self.live, self.network = Live(Watcher(), self.record), able_network()
        self.happened: list[tuple[str, int]] = []
        self.reins = Reins(
            self.course,
            cast(Training, self.ranks),
            self.network,
            self.record,
            self.session,
            Pace(),
            self.live,
        )
        self.reins.take(Leg((0, 1), STEPS), 0)
        self.happen(0)

    def happen(self, step: int) -> None:
        self.happened += [(it.kind, step) for them in self.course.due(step) for it in them]

    def failed(self, step: int) -> None:
        """Take note that the span failed before a step, as whoever makes changes does."""
        self.session.begin(f"{SPAN} failed", {SPAN: self.course.twin.changes[-1].emulated}, {})
        self.record.event("fail", step=step, target=SPAN)

    def to(self, step: int) -> None:
        """Let all ranks finish what is before a step, which they have begun unless held."""
        for now in range(self.course.next_step + 1, step + 1):
            self.course.next_step = now
            self.happen(now)
            self.reins.arrived(now)
        self.ranks.begun = step

    def wish(self, **event: Any) -> tuple[int | None, str]:
        """Wish; return the step before which it comes true, or None and why it does not."""
        name = str(len(self.answers()))
        with (self.record.folder / FILE).open("a") as file:
            file.write(json.dumps({"id": name, "event": event}) + "\n")
        self.tend()
        (answer,) = (it for it in self.answers() if it["id"] == name)
        if answer["kind"] == "wish":
            return int(answer["at"].removeprefix("step ")), ""
        return None, answer["reason"]

    def resting(self) -> bool:
        return self.reins.resting

    def tend(self) -> None:
        self.live._heard_ns = 0
        self.reins.tend(self.happen)

    def answers(self) -> list[dict[str, Any]]:
        return [it for it in self.record.events if it["kind"].startswith("wish")]

    @property
    def timeline(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = words_of(self.course.scenario).get("timeline", [])
        return found


@pytest.fixture
def ride(tmp_path: Path) -> Iterator[Ride]:
    ride = Ride(tmp_path / "run")
    yield ride
    ride.record.close()


def test_a_change_of_a_span_comes_before_the_next_step_and_stops_nobody(ride: Ride) -> None:
    ride.to(20)
    assert ride.wish(set=SPAN, loss=0.1) == (21, "")
    assert ride.wish(policy="ecmp") == (21, "")
    assert ride.happened == [("age", 4)]
    ride.to(21)
    assert ride.happened[1:] == [("set", 21), ("policy", 21)]
    assert ride.ranks.heard() == []


def test_what_failed_before_the_step_under_way_is_back_at_once(ride: Ride) -> None:
    ride.to(20)
    down, _ = ride.wish(fail=SPAN)
    assert down == 21
    ride.to(21)
    ride.failed(21)
    assert ride.wish(restore=SPAN) == (21, "")
    (change,) = (it for it in ride.course.twin.changes if it.kind == "fail")
    assert ride.network.spans == ride.session.states[-1] == {SPAN: change.emulated}
    assert change.emulated.forward.up
    failure = words_of(ride.course.scenario)["timeline"][-1]
    assert failure == {"at": "step 21", "fail": SPAN, "for": "1 ms"}
    assert [it["kind"] for it in ride.record.events if it["kind"] == "restore"]


def test_restoring_ends_the_failure_that_is_and_no_other(tmp_path: Path) -> None:
    ride = Ride(tmp_path / "run", timeline=[{"at": "step 40", "fail": SPAN}])
    ride.to(20)
    ride.wish(fail=SPAN)
    ride.to(21)
    ride.failed(21)
    assert ride.wish(restore=SPAN) == (21, "")
    first, later = (it for it in words_of(ride.course.scenario)["timeline"])
    assert (first["for"], "for" in later) == ("1 ms", False), "the failure to come is left alone"
    step, _ = ride.wish(restore=SPAN)
    assert step is None or step > 21, "what is up is not restored at once again"
    ride.record.close()


def test_what_failed_before_an_earlier_step_comes_back_before_the_next(ride: Ride) -> None:
    ride.to(20)
    ride.wish(fail=SPAN)
    ride.to(23)
    assert ride.wish(restore=SPAN) == (24, "")
    assert not ride.network.spans


def test_what_cannot_be_is_refused_and_nothing_changes(ride: Ride) -> None:
    ride.to(20)
    before = ride.course.scenario
    for event, said in (
        ({"set": SPAN, "delay": "5"}, "is not a duration"),
        ({"resume": True}, "training is not paused"),
        ({"strategy": "pipeline"}, "pipeline cannot"),
        ({"age": SPAN, "by": "5 years"}, "states no condition: only conditions age"),
        ({"resume": True, "finish": True}, "unknown key"),
    ):
        step, reason = ride.wish(**event)
        assert step is None and said in reason
    assert ride.course.scenario == before
    assert ride.ranks.heard() == []


def test_in_the_reference_a_wish_waits_for_its_end(ride: Ride) -> None:
    ride.to(1)
    assert ride.wish(set=SPAN, loss=0.1)[0] == 5
    assert ride.wish(finish=True)[0] == 5
    assert ride.ranks.heard() == [("hold", 5), ("end", 5)]
    assert ride.course.end == 5


def test_a_pause_holds_ranks_until_it_is_ended(ride: Ride) -> None:
    ride.to(20)
    assert ride.wish(pause=True) == (21, "")
    assert ride.ranks.heard() == [("hold", 21)]
    assert not ride.resting(), "step 20 is under way"
    assert ride.wish(pause=True)[1] == "pause: training is paused already; resume it first"
    ride.to(21)
    assert ride.resting()
    assert ride.wish(set=SPAN, loss=0.1) == (21, "")
    assert ride.happened[-1] == ("set", 21), "at once: all wait"
    assert ride.wish(resume=True) == (21, "")
    assert not ride.resting()
    assert ride.ranks.heard() == [("go", 0)]
    (rest,) = ride.session.rests
    assert rest.step == 21 and rest.end_ns > rest.begin_ns
    pause, change = ride.timeline
    assert (pause["at"], change["at"]) == ("step 21", "step 21")
    lasted_ns = rest.end_ns - rest.begin_ns
    assert ride.course.twin.pauses[0].lasts_ns == pytest.approx(lasted_ns, abs=500_000)


def test_a_pause_that_is_resumed_before_it_began_takes_no_time(ride: Ride) -> None:
    ride.to(20)
    ride.wish(pause=True)
    assert ride.wish(resume=True) == (21, "")
    ride.to(21)
    ride.tend()
    assert not ride.resting()
    assert ride.ranks.heard() == [("hold", 21), ("go", 0)]


def test_a_rank_that_is_ahead_is_stopped_later(ride: Ride) -> None:
    ride.to(20)
    ride.ranks.begun = 26
    asked: list[int] = []

    def hold(step: int) -> int:
        asked.append(step)
        return 26 if step < 29 else 28

    ride.ranks.hold = hold  # type: ignore[method-assign]
    assert ride.wish(strategy="diloco", every=2)[0] == 27
    assert asked == [21, 27]
    assert ride.reins.leg.end == 27
    assert ride.ranks.heard() == [("end", 27)]
    assert ride.course.twin.strategy_at(27).name == "diloco"


def test_a_pause_of_a_file_ends_by_itself(tmp_path: Path) -> None:
    timeline = [{"at": "step 8", "pause": "1 us"}, {"at": "step 12", "pause": "1 us"}]
    ride = Ride(tmp_path / "run", timeline=timeline)
    assert ride.ranks.heard() == [("hold", 8)]
    ride.to(8)
    assert ride.resting()
    ride.tend()
    assert ride.ranks.heard() == [("hold", 12)]
    ride.to(12)
    ride.tend()
    assert ride.ranks.heard() == [("go", 0)]
    assert [rest.step for rest in ride.session.rests] == [8, 12]
    assert ride.timeline == [{"at": "step 8", "pause": "1 us"}, {"at": "step 12", "pause": "1 us"}]
    ride.record.close()


def test_a_wish_before_a_pause_of_the_file_leaves_it_there(tmp_path: Path) -> None:
    ride = Ride(tmp_path / "run", timeline=[{"at": "step 30", "pause": "1 h"}])
    ride.to(20)
    ride.ranks.heard()
    assert ride.wish(pause="1 us")[0] == 21
    ride.to(21)
    ride.tend()
    assert ride.ranks.heard() == [("hold", 21), ("hold", 30)]
    assert ride.wish(pause=True)[0] == 22
    ride.to(22)
    ride.wish(resume=True)
    ride.to(30)
    assert ride.resting()
    ride.record.close()


def test_another_strategy_while_training_is_paused_leaves_it_paused(ride: Ride) -> None:
    ride.to(20)
    ride.wish(pause=True)
    ride.to(21)
    ride.ranks.begun = 20
    ride.ranks.heard()
    assert ride.wish(strategy="local-sgd", every=2)[0] == 21
    assert ride.ranks.heard() == [("end", 21)], "they leave, and others wait in their place"
    assert ride.happened[-2:] == [("reference", 21), ("strategy", 21)]
    ride.reins.take(Leg((0, 1), STEPS), 21)
    assert ride.resting()
    assert ride.wish(set=SPAN, loss=0.1)[0] == 26, "after its reference"
    ride.wish(resume=True)
    assert not ride.resting()
    assert [pause.step for pause in ride.course.twin.pauses] == [21]


def test_finishing_ends_a_pause_and_forgets_what_was_to_come(tmp_path: Path) -> None:
    ride = Ride(tmp_path / "run", timeline=[{"at": "step 50", "policy": "ecmp"}])
    ride.to(20)
    ride.wish(pause=True)
    ride.to(21)
    ride.ranks.begun = 20
    ride.ranks.heard()
    assert ride.wish(finish=True)[0] == 21
    assert ride.ranks.heard() == [("end", 21)]
    assert not ride.resting()
    assert (ride.course.end, ride.timeline) == (21, [])
    ride.record.close()


def test_what_is_wished_too_close_to_the_end_is_refused(ride: Ride) -> None:
    ride.to(59)
    step, reason = ride.wish(set=SPAN, loss=0.1)
    assert step is None and "before step 60, the end" in reason
    ride.course.next_step = 57
    ride.ranks.begun = 59
    step, reason = ride.wish(pause=True)
    assert step is None and "before step 60, the end" in reason
    assert ride.ranks.heard() == [("hold", 58)]
