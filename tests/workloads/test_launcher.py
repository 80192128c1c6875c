"""Real ranks over gloo on loopback: they train as one, and die as one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.launcher import Launcher, gone, loopback_job
from workloads.job import Job

Launch = Callable[..., Launcher]
SMALL: dict[str, dict[str, Any]] = {
    "pipeline": {"microbatches": 4, "activations": 4000},
    "serving": {"requests": 4, "request": 400, "response": 4000},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Job, Launcher, int]]:
    """Three ranks on two sites that trained to the end."""
    job = loopback_job(tmp_path_factory.mktemp("trained"), ranks=3)
    launcher = Launcher()
    launcher.start(job)
    yield job, launcher, launcher.finish()
    launcher.close()


def test_a_job_to_its_end(trained: tuple[Job, Launcher, int]) -> None:
    job, launcher, code = trained
    assert code == 0, launcher.errors()
    kinds = [event["kind"] for event in launcher.events]
    assert kinds[0] == "imported"
    assert {(e["rank"], e["code"]) for e in launcher.of("exit")} == {(0, 0), (1, 0), (2, 0)}
    by_rank = [[e for e in launcher.of("step") if e["rank"] == rank] for rank in range(3)]
    for records in by_rank:
        assert [record["step"] for record in records] == list(range(job.steps))
        check_times(records, job.compute_ns)
    for step in zip(*by_rank, strict=True):
        assert len({record["hash"] for record in step}) == 1, "replicas are bit-identical"
    hashes = [records[0]["hash"] for records in zip(*by_rank, strict=True)]
    assert len(set(hashes)) == job.steps, "and they learn"
    assert len({event["hash"] for event in launcher.of("trained")}) == 1
    losses = [record["loss"] for record in by_rank[0]]
    assert losses[-1] < losses[0]
    assert max(event["setup_ns"] for event in launcher.of("ready")) < 5e9
    assert all(job.log(rank).read_text() == "" for rank in range(3)), "no warnings"


def check_times(records: list[dict[str, Any]], compute_ns: int) -> None:
    """Demand a whole time table, on one clock, that adds up."""
    now_ns = time.monotonic_ns()
    end_ns = 0
    for record in records:
        start, end = record["start_ns"], record["end_ns"]
        assert end_ns <= start < record["first_communication_ns"] < end <= now_ns
        assert record["compute_ns"] + record["exposed_communication_ns"] == end - start
        assert record["exposed_communication_ns"] >= 0
        assert record["compute_ns"] >= compute_ns
        end_ns = end


def test_the_same_seed_trains_the_same_parameters(
    trained: tuple[Job, Launcher, int], tmp_path: Path, launch: Launch
) -> None:
    launcher = launch()
    launcher.start(loopback_job(tmp_path, ranks=3, compute_ns=0))
    assert launcher.finish() == 0
    assert launcher.of("trained")[0]["hash"] == trained[1].of("trained")[0]["hash"]


def test_ranks_that_train_alone_tell_when_they_agree(tmp_path: Path, launch: Launch) -> None:
    launcher = launch()
    options = {"every": 2}
    job = loopback_job(tmp_path, ranks=2, strategy="local-sgd", options=options, compute_ns=0)
    launcher.start(job)
    assert launcher.finish() == 0, launcher.errors()
    for step in launcher.of("step"):
        met = step["step"] % 2 == 1
        assert (step["hash"] is None) == met, "a step before which they had not met"
        assert ("divergence" in step) == met
        assert step["start_ns"] < step["first_communication_ns"] <= step["end_ns"]
        took_ns = step["compute_ns"] + step["exposed_communication_ns"]
        assert took_ns == step["end_ns"] - step["start_ns"]
    assert len({event["hash"] for event in launcher.of("trained")}) == 1


@pytest.mark.parametrize("strategy", ["pipeline", "fsdp-hybrid", "async-ps", "serving"])
def test_strategies_of_their_own_kind_go_through_the_same_loop(
    tmp_path: Path, launch: Launch, strategy: str
) -> None:
    launcher = launch()
    job = loopback_job(tmp_path, ranks=4, strategy=strategy, options=SMALL.get(strategy, {}))
    launcher.start(job)
    assert launcher.finish() == 0, job.log(0).read_text()
    assert all(job.log(rank).read_text() == "" for rank in range(4)), "no warnings"
    for rank in range(4):
        records = [event for event in launcher.of("step") if event["rank"] == rank]
        assert [record["step"] for record in records] == list(range(job.steps))
        check_times(records, job.compute_ns)
        tells_loss = strategy != "serving" and (strategy != "pipeline" or rank % 2)
        assert all((record["loss"] is not None) == tells_loss for record in records)


def test_a_server_that_loses_a_worker_fails(tmp_path: Path, launch: Launch) -> None:
    launcher = launch()
    launcher.start(loopback_job(tmp_path, ranks=3, strategy="async-ps", steps=100_000))
    launcher.until(lambda: len(launcher.of("step")) > 6)
    os.kill(launcher.ranks()[2], signal.SIGKILL)
    assert launcher.finish() == 1
    assert (launcher.of("exit")[0]["rank"], launcher.of("exit")[0]["code"]) == (2, -signal.SIGKILL)
    assert {(e["rank"], e["code"]) for e in launcher.of("exit")} >= {(0, 1)}


def test_a_killed_rank_is_reported_first_and_the_hanging_end_with_it(
    tmp_path: Path, launch: Launch
) -> None:
    launcher = launch()
    launcher.start(loopback_job(tmp_path, ranks=3, steps=100_000, timeout_s=60.0))
    launcher.until(lambda: len(launcher.of("step")) > 6)
    ranks = launcher.ranks()
    assert len(ranks) == 3
    os.kill(ranks[2], signal.SIGSTOP)
    os.kill(ranks[1], signal.SIGKILL)
    begin = time.monotonic()
    assert launcher.finish() == 1
    assert time.monotonic() - begin < 8
    first = launcher.of("exit")[0]
    assert (first["rank"], first["code"]) == (1, -signal.SIGKILL)
    (failed,) = launcher.of("failed")
    assert failed["rank"] == 0
    assert failed["in"].startswith("bucket ")
    assert gone(ranks) == []


@pytest.mark.parametrize("moment", ["before the start", "while training"])
def test_the_end_of_its_input_ends_everything(tmp_path: Path, launch: Launch, moment: str) -> None:
    launcher = launch()
    launcher.until(lambda: bool(launcher.of("imported")))
    launcher.send(loopback_job(tmp_path, ranks=2, steps=100_000).to_json())
    launcher.until(lambda: len(launcher.of("ready")) == 2)
    ranks = launcher.ranks()
    assert len(ranks) == 2
    if moment == "while training":
        launcher.send("start")
        launcher.until(lambda: len(launcher.of("step")) > 4)
    launcher.close_input()
    assert launcher.finish() == 1
    assert gone(ranks) == []


def test_ranks_do_not_outlive_a_killed_launcher(tmp_path: Path, launch: Launch) -> None:
    launcher = launch()
    launcher.start(loopback_job(tmp_path, ranks=2, steps=100_000))
    launcher.until(lambda: len(launcher.of("step")) > 4)
    ranks = launcher.ranks()
    launcher.process.kill()
    assert gone(ranks) == []


def test_a_rank_that_cannot_start_says_why_in_its_log(tmp_path: Path, launch: Launch) -> None:
    job = loopback_job(tmp_path, ranks=2, strategy="telepathy")
    launcher = launch()
    launcher.until(lambda: bool(launcher.of("imported")))
    launcher.send(job.to_json())
    assert launcher.finish() == 1
    assert {event["code"] for event in launcher.of("exit")} == {1}
    assert "telepathy" in job.log(0).read_text()


def test_a_job_and_its_start_may_come_at_once(tmp_path: Path, launch: Launch) -> None:
    launcher = launch()
    job = loopback_job(tmp_path, ranks=2, steps=2)
    launcher.send(job.to_json() + "\nstart")
    launcher.until(lambda: len(launcher.of("trained")) == 2, timeout_s=12)
    assert launcher.finish() == 0


def test_ranks_of_one_job_may_have_launchers_of_their_own(tmp_path: Path, launch: Launch) -> None:
    job = loopback_job(tmp_path, ranks=2, steps=3)
    launchers = [launch("0"), launch("1")]
    for launcher in launchers:
        launcher.send(job.to_json() + "\nstart")
    for rank, launcher in enumerate(launchers):
        while not launcher.of("exit"):
            assert launcher.read(), launcher.errors()
        assert [event["rank"] for event in launcher.of("step")] == [rank] * job.steps
        assert launcher.process.poll() is None, "it holds its container"
    hashes = {launcher.of("trained")[0]["hash"] for launcher in launchers}
    assert len(hashes) == 1
    for launcher in launchers:
        launcher.close_input()
        assert launcher.finish() == 0, launcher.errors()
