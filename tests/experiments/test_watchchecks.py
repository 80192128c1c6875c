"""Every check of what was seen during a run passes what it should and fails what it should."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments import watchchecks
from experiments.clocks import Clocks
from experiments.fidelity import Check
from experiments.processors import Taken
from experiments.watchchecks import Astray, Look, Window
from tests.fakes.steps import MS
from topologies.emulation.impairer import LATENESS_EDGES_US, Counters
from topologies.linkstate import Jitter, LinkState

SECOND = 10**9
STATE = LinkState(100 * 10**6, 5 * MS)
IN_TIME = len(LATENESS_EDGES_US) * [0]


def look(second: float, phase: int = 0, **taken: int) -> Look:
    """Return a look at a machine of two processors that only this run uses."""
    at_ns = round(second * SECOND)
    used = Taken(at_ns, at_ns, at_ns, 0, at_ns // 10, 0)
    return Look(
        phase=phase,
        taken=replace(used, **taken),
        clocks=Clocks(at_ns, at_ns + 10**18, at_ns, 1000),
        stalled_ns=MS,
        others={},
        when=f"phase {phase}, {second:.1f} s",
    )


def judged(*looks: Look) -> list[Check]:
    return watchchecks.machine_checks(looks, ["reference", "aged"], processors=2)


def failing(*looks: Look) -> list[tuple[str, str]]:
    return [(check.name, check.subject) for check in judged(*looks) if not check.ok]


def test_a_machine_of_ones_own_passes() -> None:
    looks = [look(0), look(5), look(5.1, 1), look(10, 1)]
    assert failing(*looks) == []
    assert len(judged(*looks)) == 2 * 5 + 3
    assert failing() == []
    assert failing(look(0)) == []


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        ({"busy_ns": 13 * SECOND}, "processors taken by others"),
        ({"stolen_ns": 2 * SECOND}, "processors stolen by the host"),
        ({"throttled_ns": 1 * SECOND}, "kept from the processors by limits"),
        ({"waited_ns": 9 * SECOND}, "waiting for processors"),
    ],
)
def test_what_was_taken_in_a_phase_is_told_of_that_phase(taken: dict[str, int], name: str) -> None:
    found = failing(look(0), look(5, 1), look(10, 1, **taken))
    told = [(check, subject.split(" (")[0]) for check, subject in found]
    assert told[0] == (name, "aged")
    assert told[1:] in ([], [(f"{name} in a second", "aged: phase 1, 10.0 s")])


def test_one_bad_second_is_not_hidden_by_a_long_phase() -> None:
    looks = [look(second) for second in range(60)]
    looks[30:] = [look(at, busy_ns=at * SECOND + 6 * SECOND // 10) for at in range(30, 60)]
    looks[30] = replace(looks[30], others={(7, "make"): SECOND})
    assert failing(*looks) == [
        ("processors taken by others in a second", "reference: phase 0, 30.0 s (make, process 7)")
    ]


def test_a_kernel_that_does_not_tell_of_pressure_is_not_judged_by_it() -> None:
    looks = [replace(it, taken=replace(it.taken, waited_ns=None)) for it in (look(0), look(5))]
    assert "waiting for processors" not in {check.name for check in judged(*looks)}


def test_who_took_the_most_is_named() -> None:
    begin = replace(look(0), others={(7, "make"): 0, (8, "cc"): SECOND})
    others = {(7, "make"): SECOND, (8, "cc"): 5 * SECOND, (9, "x"): SECOND // 10}
    end = replace(look(9, busy_ns=14 * SECOND), others=others)
    subject, in_a_second = (subject for _, subject in failing(begin, end))
    assert in_a_second == "reference: phase 0, 9.0 s (cc, process 8, make, process 7)"
    assert subject == "reference (cc, process 8, make, process 7)"
    subject, _ = (subject for _, subject in failing(begin, replace(end, others=begin.others)))
    assert subject == "reference (processes that have ended)"


def test_a_process_is_known_by_its_number_whatever_it_is_called_now() -> None:
    before = {(4, "kworker/0:1-events"): 90 * SECOND, (9, "make"): 5 * SECOND}
    after = {(4, "kworker/0:1-writeback"): 90 * SECOND + 1, (9, "cc"): 2 * SECOND}
    assert watchchecks.culprits(before, after, 2 * SECOND) == ["cc, process 9"]


def test_a_clock_that_jumps_and_comes_back_is_caught() -> None:
    looks = [look(second) for second in range(5)]
    looks[2] = replace(looks[2], clocks=replace(looks[2].clocks, realtime_ns=10**18 + SECOND))
    assert failing(*looks) == [("clock jump", "CLOCK_REALTIME, phase 0, 2.0 s")]
    slept = [replace(it, clocks=replace(it.clocks, boottime_ns=10**15)) for it in looks[3:]]
    assert ("clock jump", "CLOCK_BOOTTIME, phase 0, 3.0 s") in failing(*looks[:2], *slept)


def test_clocks_read_with_an_interruption_between_are_given_that_much() -> None:
    unsure = Clocks(SECOND, 10**18 + SECOND + 20 * MS, SECOND, width_ns=25 * MS)
    assert failing(look(0), replace(look(1), clocks=unsure), look(2)) == []


def test_a_machine_that_stood_still_is_told_when() -> None:
    stalled = replace(look(1), stalled_ns=300 * MS)
    assert failing(look(0), stalled, look(2)) == [("standstill", "the machine, phase 0, 1.0 s")]


def window(**changes: object) -> Window:
    """Return a second of a span that is half used, and in time."""
    before = Counters(delivered=100, delivered_bytes=10**6, lateness=[100, *IN_TIME])
    after = Counters(delivered=800, delivered_bytes=7 * 10**6, lateness=[800, *IN_TIME])
    values = {
        "subject": "west-east forward, aged, 3.0 s",
        "lasted_ns": SECOND + 2 * MS,
        "before": before,
        "after": after,
        "states": (STATE,),
        "round_trip_ns": 10 * MS,
    }
    return Window(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("late", "ok"),
    [
        ({}, True),
        ({3: 100}, True),  # a seventh of them by 100 to 200 us
        ({6: 100}, True),  # the same by 1 to 2 ms: 143 us in the mean
        ({6: 200}, False),
        ({9: 20}, False),
    ],
)
def test_frames_that_were_late_in_one_second(late: dict[int, int], ok: bool) -> None:
    seen = window()
    for bucket, frames in late.items():
        seen.after.lateness[bucket] += frames
        seen.after.lateness[0] -= frames
    lateness, _ = watchchecks.window_checks(seen)
    assert (lateness.name, lateness.ok) == ("lateness in a second", ok)
    assert lateness.tolerance == 250.0


def test_of_few_frames_nothing_is_said() -> None:
    few = replace(window().after, delivered=150)
    assert [it.name for it in watchchecks.window_checks(window(after=few))] == [
        "rate in a second, at most"
    ]


@pytest.mark.parametrize(
    ("bytes_", "states", "ok"),
    [
        (int(12.4e6), (STATE,), True),
        (int(13.2e6), (STATE,), False),
        (int(25e6), (STATE,), False),
        (int(24e6), (STATE, replace(STATE, rate_bps=200 * 10**6)), True),
        (int(13.2e6), (replace(STATE, jitter=Jitter(5 * MS)),), True),
        (int(13.2e6), (replace(STATE, duplicate=0.1),), True),
    ],
)
def test_a_span_delivers_no_more_than_its_rate(
    bytes_: int, states: tuple[LinkState, ...], ok: bool
) -> None:
    after = replace(window().after, delivered_bytes=10**6 + bytes_)
    *_, pace = watchchecks.window_checks(window(after=after, states=states))
    assert pace.ok is ok


def test_windows_are_as_long_as_it_takes() -> None:
    none, some = Counters(), Counters(delivered=100)
    assert watchchecks.is_whole(0, SECOND, none, some)
    assert not watchchecks.is_whole(0, SECOND - 1, none, some)
    assert not watchchecks.is_whole(0, 5 * SECOND, none, Counters(delivered=99))


def test_a_span_that_went_astray_is_told_once_and_makes_a_run_invalid() -> None:
    spans = [("west-east", 0), ("west-east", 1), ("north", 0)]
    astray = {"north": Astray(5, "aged, 3.0 s", "forward has rate_bps 1, 2 was asked for")}
    good, bad = watchchecks.state_checks(astray, spans)
    assert (good.subject, good.ok, bad.ok, bad.fatal) == ("west-east", True, False, True)
    assert bad.reason.startswith("not as it was set of north, aged, 3.0 s: forward has rate_bps 1")


def test_rules_that_others_changed_make_a_run_invalid() -> None:
    assert watchchecks.check_rules(0, []).ok
    check = watchchecks.check_rules(2, ["aged, 3.0 s: switch x: somebody else made a rule"])
    assert not check.ok
    assert check.fatal
    assert "aged, 3.0 s: switch x" in check.reason


def test_drops_are_told_of_the_phase_that_they_were_in() -> None:
    counted = [("", {"s1": 3}), ("reference", {"s1": 3}), ("aged", {"s1": 5, "s2": 1})]
    assert [(it.subject, it.measured) for it in watchchecks.drop_checks(counted)] == [
        ("s1, aged", 2),
        ("s2, aged", 1),
    ]
    (none,) = watchchecks.drop_checks(counted[:2])
    assert none.ok
