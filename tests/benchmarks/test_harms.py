"""The table of docs/troubles.md is read whole, harms are drawn from a seed, and judged by it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from benchmarks.harms import Harm, faults, harms
from benchmarks.planting import HURTS
from benchmarks.trials import NOT_DRAWN, STAGES, draw, leaks
from experiments.components import KINDS


def ended(status: str, verdict: str, *reasons: str, error: str | None = None) -> dict[str, Any]:
    return {
        "status": status,
        "error": error,
        "fidelity": {"verdict": verdict, "reasons": list(reasons)},
    }


DEAD = ended("failed", "invalid", error="rank 1 (east-w1) was killed by signal 9; its log is empty")
FINE = ended("finished", "faithful")
SLOW = ended("finished", "degraded", "stood still of rank 1: 0.4 s measured, 0 s intended")


def test_every_component_that_is_watched_is_in_the_table_killed_and_stopped() -> None:
    kinds = {"prober" if kind == "helper" else kind for kind in KINDS}
    for kind in kinds:
        assert {f"{kind} killed", f"{kind} stopped"} <= harms().keys()


def test_everything_in_the_table_can_be_done() -> None:
    for harm in harms().values():
        assert harm.how in HURTS or harm.component == "disk" or harm.outcome == "refused"


@pytest.mark.parametrize(
    ("harm", "result", "code", "wrong"),
    [
        ("rank killed", DEAD, 1, None),
        ("rank killed", FINE, 0, "its status is finished"),
        ("rank killed", DEAD | {"error": "the run ended"}, 1, "is not in"),
        ("rank killed", DEAD, 0, "exit code 0"),
        ("rank slowed", SLOW, 0, None),
        ("rank slowed", FINE, 0, "it says that it was faithful"),
        ("rank slowed", ended("finished", "degraded", "rate of a-b"), 0, "is not in"),
        ("dashboard killed", FINE, 0, None),
        ("dashboard killed", DEAD, 1, "its status is failed"),
        (None, FINE, 0, None),
        (None, SLOW, 0, None),
        (None, DEAD, 1, "its status is failed"),
        (None, None, 1, "it left no result"),
        ("disk full", None, 2, "exit code 2"),
        ("disk full", DEAD, 1, "it left a result"),
    ],
)
def test_a_run_is_judged_by_its_row(
    harm: str | None, result: dict[str, Any] | None, code: int, wrong: str | None
) -> None:
    row = harms()[harm] if harm else None
    found = faults(row, result, code=code, stderr="the disk of /tmp/x is full: free some")
    assert bool(found) == (wrong is not None), found
    assert wrong is None or any(wrong in it for it in found), found


def test_capitals_stand_for_something() -> None:
    harm = Harm("relay", "killed", "failed", "the relay of span SPAN died")
    assert harm.said_in("so the relay of span west-east died: its span carries nothing")
    assert not harm.said_in("the relay of span died")


def test_a_trial_is_drawn_from_its_seed_and_number_alone() -> None:
    drawn = [draw(9, number) for number in range(500)]
    assert drawn == [draw(9, number) for number in range(500)]
    assert drawn[3] != draw(8, 3)
    counts = Counter(it.harm for it in drawn)
    wanted = {
        name
        for name, harm in harms().items()
        if harm.outcome != "refused" and not {name, harm.component} & NOT_DRAWN
    }
    assert counts.keys() == {*wanted, None}
    assert 25 < counts[None] < 90
    assert {it.stage for it in drawn} == set(STAGES)


def test_what_is_new_is_a_leak() -> None:
    before = {"device": {"lo"}, "mount": {"/"}}
    assert leaks(before, {"device": {"lo"}, "mount": set()}) == []
    assert leaks(before, {"device": {"lo", "tap0"}, "mount": {"/"}}) == ["device tap0"]
