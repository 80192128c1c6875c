"""Jobs that follow one another: ranks go on from what they kept, or from what others send them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.launcher import Launcher, loopback_job
from workloads.job import Job, Keep

Events = list[dict[str, Any]]
SMALL = {"gradient_bytes": 40_000, "bucket_bytes": 20_000, "compute_ns": 0}


@pytest.fixture(scope="module")
def jobs() -> Iterator[Jobs]:
    """One launcher that all jobs of these tests are given to, one after the other."""
    launcher = Launcher()
    yield Jobs(launcher)
    launcher.close()


class Jobs:
    """Trains jobs, and tells what each reported."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    def run(self, job: Job, *, kill: tuple[int, int] | None = None) -> Events:
        """Train a job to its end, or kill a rank once it has told of a number of steps."""
        launcher = self._launcher
        launcher.until(lambda: bool(launcher.of("imported")))
        begin = len(launcher.events)

        def count(kind: str, rank: int | None = None) -> int:
            events = launcher.events[begin:]
            return sum(it["kind"] == kind and rank in (None, it.get("rank")) for it in events)

        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        launcher.send(replace(job, port=port).to_json())
        launcher.until(lambda: count("ready") == len(job.ranks))
        launcher.send("start")
        if kill:
            rank, steps = kill
            launcher.until(lambda: count("step", rank) >= steps)
            launcher.send(f"kill {rank}")
        launcher.until(lambda: count("over") == 1)
        return launcher.events[begin:]


def kept_job(folder: Path, ranks: int, **changes: Any) -> Job:
    keep = Keep(str(folder), **changes.pop("keep", {}))
    return loopback_job(folder, ranks, **{**SMALL, **changes, "keep": keep})


def of(job: Job, *ranks: int, steps: int) -> Job:
    return replace(job, ranks=tuple(job.ranks[rank] for rank in ranks), steps=steps)


def steps(events: Events) -> list[int]:
    return sorted({event["step"] for event in events if event["kind"] == "step"})


def hashes(events: Events) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for event in events:
        if event["kind"] == "step":
            found.setdefault(event["step"], set()).add(event["hash"])
    return found


def ready(events: Events, key: str) -> dict[int, int]:
    return {event["rank"]: event[key] for event in events if event["kind"] == "ready"}


def last_hash(events: Events) -> str:
    found = {event["hash"] for event in events if event["kind"] == "trained"}
    assert len(found) == 1, "replicas are bit-identical"
    return str(found.pop())


@pytest.mark.parametrize(
    "kind",
    [
        {"strategy": "ddp"},
        {"strategy": "hierarchical"},
        {"strategy": "local-sgd", "options": {"every": 2}},
        {"strategy": "diloco", "options": {"every": 2}},
    ],
    ids=lambda kind: kind["strategy"],
)
def test_two_jobs_train_what_one_would(tmp_path: Path, jobs: Jobs, kind: dict[str, Any]) -> None:
    whole = jobs.run(loopback_job(tmp_path, 2, **SMALL, **kind, steps=6))
    job = kept_job(tmp_path, 2, **kind)
    # The cut lies in the middle of a period of those that train alone.
    first, second = jobs.run(of(job, 0, 1, steps=3)), jobs.run(of(job, 0, 1, steps=6))
    assert (steps(first), steps(second)) == ([0, 1, 2], [3, 4, 5])
    assert hashes(whole) == {**hashes(first), **hashes(second)}
    assert last_hash(second) == last_hash(whole)
    assert ready(second, "received_bytes") == {0: 0, 1: 0}


def test_the_optimizer_goes_on_too(tmp_path: Path, jobs: Jobs) -> None:
    options = {"width": 16, "layers": 1, "heads": 2, "context": 8, "batch": 2, "rate": 0.01}
    task = {"task": "language-model", "task_options": {**options, "feed_forward": 64}}
    (tmp_path / "whole").mkdir()
    from workloads.tasks.language_model import Form

    size = {**SMALL, "gradient_bytes": 4 * Form(1, 16, 64, 8).floats, **task}
    whole = jobs.run(loopback_job(tmp_path / "whole", 2, **size, steps=6))
    job = kept_job(tmp_path, 2, **size)
    jobs.run(of(job, 0, 1, steps=3))
    assert last_hash(jobs.run(of(job, 0, 1, steps=6))) == last_hash(whole)


def test_who_joins_is_sent_the_state_and_nobody_else(tmp_path: Path, jobs: Jobs) -> None:
    job = kept_job(tmp_path, 4)
    jobs.run(of(job, 0, 2, steps=3))
    joined = jobs.run(of(job, 0, 1, 2, 3, steps=5))
    received = ready(joined, "received_bytes")
    assert received[0] == received[2] == 0
    assert received[1] == received[3] > job.gradient_bytes
    assert steps(joined) == [3, 4]
    assert all(len(found) == 1 for found in hashes(joined).values())
    left = jobs.run(of(job, 1, 3, steps=6))
    assert steps(left) == [5], "those that joined go on without those that sent"


@pytest.mark.parametrize("strategy", ["ddp", "diloco"])
def test_survivors_go_on_from_where_they_were(tmp_path: Path, jobs: Jobs, strategy: str) -> None:
    options = {"every": 3} if strategy == "diloco" else {}
    keep = {"on_failure": True}
    job = kept_job(
        tmp_path, 3, strategy=strategy, options=options, keep=keep, compute_ns=20_000_000
    )
    broken = jobs.run(of(job, 0, 1, 2, steps=10_000), kill=(1, 5))
    exits = {event["rank"]: event["code"] for event in broken if event["kind"] == "exit"}
    assert exits[1] == -9
    assert {event["rank"] for event in broken if event["kind"] == "failed"} == {0, 2}
    (begin,) = set(ready(jobs.run(of(job, 0, 2, steps=12)), "first_step").values())
    assert begin >= 5, "nothing that all had finished is lost"
    back = jobs.run(of(job, 0, 1, 2, steps=13))
    assert ready(back, "received_bytes")[1] > 0
    last_hash(jobs.run(of(job, 0, 1, 2, steps=15)))


def test_a_restart_goes_back_to_the_last_checkpoint(tmp_path: Path, jobs: Jobs) -> None:
    job = kept_job(tmp_path, 3, keep={"every": 4}, compute_ns=20_000_000)
    broken = jobs.run(of(job, 0, 1, 2, steps=10_000), kill=(2, 6))
    reached = max(steps(broken))
    again = jobs.run(of(job, 0, 1, 2, steps=reached + 3))
    (begin,) = set(ready(again, "first_step").values())
    assert begin % 4 == 0
    assert 4 <= begin <= reached + 1
    repeated, before = hashes(again), hashes(broken)
    assert all(repeated[step] == before[step] for step in range(begin, reached))
