"""Ranks that are held between two steps, and jobs whose end is moved while they train."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.launcher import Launcher, loopback_job
from workloads.job import Job, Keep
from workloads.turnstile import Turnstile

Launch = Callable[..., Launcher]
FAST = {"gradient_bytes": 40_000, "bucket_bytes": 20_000, "compute_ns": 5_000_000}
ENDLESS = 100_000


class Walker:
    """A rank that passes a turnstile in a thread, and never waits for others."""

    def __init__(self, turnstile: Turnstile, rank: int = 0) -> None:
        self.passed: list[int] = []
        self.moved = threading.Condition()
        self._thread = threading.Thread(target=self._walk, args=[turnstile, rank], daemon=True)
        self._thread.start()

    def _walk(self, turnstile: Turnstile, rank: int) -> None:
        for step in turnstile.steps(rank, 0):
            with self.moved:
                self.passed.append(step)
                self.moved.notify()

    def until(self, count: int) -> None:
        with self.moved:
            assert self.moved.wait_for(lambda: len(self.passed) >= count, 10)

    def end(self) -> list[int]:
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self.passed


def test_a_rank_waits_before_the_step_that_is_held_and_goes_on() -> None:
    turnstile = Turnstile([0], steps=9)
    assert turnstile.hold(4) == -1
    walker = Walker(turnstile)
    walker.until(4)
    assert walker.passed == [0, 1, 2, 3]
    turnstile.hold(6)
    walker.until(6)
    assert walker.passed == [0, 1, 2, 3, 4, 5]
    turnstile.go()
    assert walker.end() == list(range(9))


def test_a_hold_that_comes_too_late_says_so() -> None:
    turnstile = Turnstile([0, 1], steps=9)
    first = Walker(turnstile)
    assert first.end() == list(range(9))
    assert turnstile.hold(4) == 8


def test_an_end_lets_go_those_that_wait_for_it_and_keeps_earlier_holds() -> None:
    turnstile = Turnstile([0], steps=ENDLESS)
    turnstile.hold(3)
    walker = Walker(turnstile)
    walker.until(3)
    turnstile.end(7)
    assert walker.passed == [0, 1, 2], "it still waits"
    turnstile.hold(7)
    turnstile.end(7)
    assert walker.end() == list(range(7))


def hold(launchers: list[Launcher], step: int) -> int:
    """Hold all ranks as a run does: later, until none has begun the step; return it."""
    while (begun := try_to_hold(launchers, step)) >= step:
        step = begun + 1
    return step


def try_to_hold(launchers: list[Launcher], step: int) -> int:
    """Return the last step that a rank has begun, or is about to."""
    before = [len(launcher.of("holding")) for launcher in launchers]
    for launcher in launchers:
        launcher.send(f"hold {step}")
    for launcher, told in zip(launchers, before, strict=True):
        launcher.until(lambda it=launcher, n=told: len(it.of("holding")) > n)  # type: ignore[misc]
    return int(max(launcher.of("holding")[-1]["begun"] for launcher in launchers))


def until_all_wait(launcher: Launcher, held: int) -> None:
    """Ask until no rank is any more about to begin the step that is held: each has looked."""
    deadline = time.monotonic() + 20
    while try_to_hold([launcher], held) >= held:
        assert time.monotonic() < deadline, launcher.events[-5:]


def steps_of(launcher: Launcher) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for event in launcher.of("step"):
        found.setdefault(event["rank"], []).append(event["step"])
    return found


def test_a_job_is_held_and_ended_before_its_last_step(tmp_path: Path, launch: Launch) -> None:
    launcher = launch()
    launcher.start(loopback_job(tmp_path, ranks=3, **FAST, steps=ENDLESS))
    launcher.until(lambda: len(launcher.of("step")) > 12)
    held = hold([launcher], 2)
    assert held > 2, "they were beyond that"
    launcher.until(lambda: len(launcher.of("step")) == 3 * held)
    until_all_wait(launcher, held)
    assert len(launcher.of("step")) == 3 * held, "nobody has gone on"
    launcher.send("go")
    launcher.until(lambda: len(launcher.of("step")) > 3 * held + 6)
    end = hold([launcher], held + 5)
    launcher.send(f"end {end}")
    assert launcher.finish() == 0, launcher.errors()
    assert steps_of(launcher) == {rank: list(range(end)) for rank in range(3)}
    assert len({event["hash"] for event in launcher.of("trained")}) == 1


@pytest.mark.parametrize("strategy", ["ddp", "local-sgd"])
def test_launchers_of_one_rank_each_end_at_the_same_step(
    tmp_path: Path, launch: Launch, strategy: str
) -> None:
    options = {"every": 8} if strategy == "local-sgd" else {}  # between which they part
    job = loopback_job(tmp_path, ranks=2, **FAST, steps=ENDLESS, strategy=strategy, options=options)
    launchers = [launch("0"), launch("1")]
    for launcher in launchers:
        launcher.send(job.to_json() + "\nstart")
    for launcher in launchers:
        launcher.until(lambda it=launcher: len(it.of("step")) > 5, timeout_s=20)  # type: ignore[misc]
    end = hold(launchers, 3)
    for launcher in launchers:
        launcher.send(f"end {end}")
    for rank, launcher in enumerate(launchers):
        launcher.until(lambda it=launcher: bool(it.of("over")))  # type: ignore[misc]
        assert steps_of(launcher) == {rank: list(range(end))}
    for launcher in launchers:
        told = len(launcher.of("holding"))
        launcher.send(f"hold {end}")
        launcher.until(lambda it=launcher, n=told: len(it.of("holding")) > n)  # type: ignore[misc]
        assert launcher.of("holding")[-1]["begun"] == end - 1, "those that are over answer, too"


def test_ranks_that_are_held_end_when_one_of_them_is_lost(tmp_path: Path, launch: Launch) -> None:
    launcher = launch()
    launcher.start(loopback_job(tmp_path, ranks=3, **FAST, steps=ENDLESS, timeout_s=60.0))
    launcher.until(lambda: len(launcher.of("step")) > 6)
    held = hold([launcher], 4)
    launcher.until(lambda: len(launcher.of("step")) == 3 * held)
    launcher.send("kill 1")
    assert launcher.finish() == 1
    assert {event["rank"] for event in launcher.of("failed")} == {0, 2}, "as if they had trained"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"strategy": "ddp"}, {"strategy": "diloco", "options": {"every": 2}}),
        ({"strategy": "diloco", "options": {"every": 4}}, {"strategy": "ddp"}),
        ({"strategy": "local-sgd", "options": {"every": 4}}, {"strategy": "hierarchical"}),
    ],
    ids=lambda kind: kind["strategy"],
)
def test_another_strategy_takes_over(
    tmp_path: Path, launch: Launch, before: dict[str, Any], after: dict[str, Any]
) -> None:
    def job(steps: int, **kind: Any) -> Job:
        kept = loopback_job(tmp_path, 2, **{**FAST, "compute_ns": 0}, steps=steps, **kind)
        return replace(kept, keep=Keep(str(tmp_path)))

    launcher = launch()
    launcher.start(job(6, **before))
    launcher.until(lambda: bool(launcher.of("over")))
    ended = {event["hash"] for event in launcher.of("trained")}
    begin = len(launcher.events)
    launcher.send(job(10, **after).to_json() + "\nstart")
    launcher.until(lambda: len(launcher.of("over")) == 2)
    later = launcher.events[begin:]
    steps = [event for event in later if event["kind"] == "step"]
    assert {event["step"] for event in steps} == {6, 7, 8, 9}
    first = {event["hash"] for event in steps if event["step"] == 6}
    assert len(first) == 1, "all go on from the same parameters"
    if before["strategy"] == "ddp":
        assert first == ended, "which are those that were trained"
    trained = {event["hash"] for event in later if event["kind"] == "trained"}
    assert len(trained) == 1
    losses = [event["loss"] for event in launcher.of("step") if event["rank"] == 0]
    assert losses[-1] < losses[0]
