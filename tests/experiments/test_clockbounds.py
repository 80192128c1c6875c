"""How far other clocks may be off, by what they answer; and that every run asks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.clockbounds import (
    GOOD_NS,
    MOST_ASKED,
    TOLERANCE_NS,
    bound_ns,
    check_clocks,
    has_our_clock,
)
from experiments.training import Training

US = 1000


class World:
    """Time that passes only on the way to another clock and back, which is ``off``."""

    def __init__(self, off: int, ways: list[tuple[int, int]]) -> None:
        self.at, self.off, self.ways, self.asked = 0, off, ways, 0

    def now(self) -> int:
        return self.at

    def ask(self) -> int:
        there, back = self.ways[min(self.asked, len(self.ways) - 1)]
        self.asked += 1
        self.at += there
        said = self.at + self.off
        self.at += back
        return said


@pytest.mark.parametrize("off", [0, 40 * US, -40 * US, 3 * TOLERANCE_NS, -3 * TOLERANCE_NS])
def test_the_bound_holds_whatever_the_ways_take(off: int) -> None:
    world = World(off, [(900 * US, 20 * US), (20 * US, 900 * US), (5000 * US, 5000 * US)])
    bound = bound_ns(world.ask, world.now, lambda s: None)
    assert abs(off) <= bound <= abs(off) + 20 * US, "answers are cut with each other"


def test_it_asks_no_more_than_it_takes() -> None:
    quick, slow = World(0, [(10 * US, 10 * US)]), World(0, [(2 * TOLERANCE_NS, 2 * TOLERANCE_NS)])
    assert bound_ns(quick.ask, quick.now) < GOOD_NS
    assert bound_ns(slow.ask, slow.now, lambda s: None) == 2 * TOLERANCE_NS
    assert (quick.asked, slow.asked) == (1, MOST_ASKED)


def test_who_has_our_clock_may_answer_late_but_not_wrongly() -> None:
    late = [(2 * TOLERANCE_NS, 2 * TOLERANCE_NS)]
    same, other = World(0, late), World(9 * TOLERANCE_NS, late)
    assert bound_ns(same.ask, same.now, lambda s: None, ours=True) == 0
    assert bound_ns(other.ask, other.now, lambda s: None, ours=True) > TOLERANCE_NS
    assert has_our_clock(os.getpid())


def test_a_clock_that_is_off_by_more_than_a_millisecond_fails() -> None:
    good = check_clocks({"launcher": 80 * US, "controller": 300 * US})
    assert (good.ok, good.subject, good.measured) == (True, "controller", 300.0)
    bad = check_clocks({"launcher": 80 * US, "relay of a-b": TOLERANCE_NS + 1})
    assert not bad.ok
    assert "relay of a-b" in bad.reason


OTHER = """
import sys, time
for line in sys.stdin:
    print(time.monotonic_ns() + int(sys.argv[1]), flush=True)
"""


@pytest.mark.parametrize("off", [0, 5 * TOLERANCE_NS])
def test_another_process_has_this_clock_and_a_shifted_one_is_found_out(off: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, str(off)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        bound = bound_ns(asking(other))
        other.communicate()
    assert (bound <= TOLERANCE_NS) == (off == 0)
    assert bound >= off


def asking(other: subprocess.Popen[str]) -> Callable[[], int]:
    def ask() -> int:
        assert other.stdin and other.stdout
        other.stdin.write("?\n")
        other.stdin.flush()
        return int(other.stdout.readline())

    return ask


def test_a_launcher_says_what_time_its_ranks_have(tmp_path: Path) -> None:
    training = Training(tmp_path / "launcher.log")
    try:
        training.wait_imported()
        ((name, ask),) = training.clocks().items()
        assert name == "launcher"
        before = time.monotonic_ns()
        assert before <= ask() <= time.monotonic_ns()
        assert bound_ns(ask) <= TOLERANCE_NS
    finally:
        training.close()
