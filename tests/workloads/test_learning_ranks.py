"""Real ranks over gloo on loopback learn the language together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.launcher import Launcher, run_ranks
from tests.workloads.lessons import job_of
from tests.workloads.sent import expected_bytes, sent_by_pair
from workloads import tasks
from workloads.job import Job
from workloads.variation import Variation

Launch = Callable[[], Launcher]


def finished(launcher: Launcher, job: Job) -> Launcher:
    launcher.start(job)
    assert launcher.finish() == 0, launcher.errors()
    return launcher


def losses(launcher: Launcher) -> list[tuple[int, int, float]]:
    return sorted((it["step"], it["rank"], it["loss"]) for it in launcher.of("step"))


def mean_loss(launcher: Launcher, steps: range) -> float:
    found = [it["loss"] for it in launcher.of("step") if it["step"] in steps]
    return float(sum(found) / len(found))


@pytest.mark.parametrize(
    ("strategy", "options"), [("ddp", {}), ("diloco", {"every": 5, "inner_rate": 0.003})]
)
def test_ranks_learn_together(
    tmp_path: Path, launch: Launch, strategy: str, options: dict[str, Any]
) -> None:
    job = job_of(tmp_path, steps=60, strategy=strategy, options=options)
    launcher = finished(launch(), job)
    begin, end = mean_loss(launcher, range(5)), mean_loss(launcher, range(55, 60))
    best = tasks.best_loss(job.task)
    assert best is not None
    assert best < end < 2.6 < begin
    assert len({it["hash"] for it in launcher.of("trained")}) == 1, "they end alike"
    assert all(job.log(rank).read_text() == "" for rank in range(2)), "no warnings"


def test_the_same_seed_has_the_same_losses_on_all_ranks(tmp_path: Path, launch: Launch) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    first, second = (
        losses(finished(launch(), job_of(tmp_path / folder, steps=4)))
        for folder in ("first", "second")
    )
    assert first == second
    assert len({loss for _, _, loss in first}) == 8, "each rank reads its own"


def test_steps_say_what_was_declared_and_how_far_arithmetic_went_beyond(
    tmp_path: Path, launch: Launch
) -> None:
    variation = Variation("gamma", 0.2, straggling=0.2, slowdown=2)
    job = job_of(tmp_path, steps=8, compute_ns=1000, variation=variation)
    job = replace(job, ranks=(job.ranks[0], replace(job.ranks[1], speed=0.5)))
    for step in finished(launch(), job).of("step"):
        assert step["declared_ns"] == job.declared_ns(job.ranks[step["rank"]], step["step"])
        assert step["late_ns"] > 0, "no machine does that in microseconds"
        assert step["late_ns"] <= step["compute_ns"]


@pytest.mark.parametrize(
    ("strategy", "options"), [("ddp", {}), ("powersgd", {"rank": 2}), ("diloco", {"every": 2})]
)
def test_the_transformer_sends_what_it_states(
    tmp_path: Path, strategy: str, options: dict[str, Any]
) -> None:
    sites = "wwee"
    job = job_of(
        tmp_path, 400_000, 4, steps=6, bucket_bytes=100_000, strategy=strategy, options=options
    )
    sent = sent_by_pair(run_ranks(job, sites, 0, "bytes")["ranks"])
    model = tasks.sized(job.task, job.task_options, job.gradient_bytes, job.bucket_bytes)
    expected, besides = expected_bytes(job, sites, model.shapes)
    for pair, moved in expected.items():
        assert 0.999 * moved <= sent[pair] <= moved + besides[pair], pair
