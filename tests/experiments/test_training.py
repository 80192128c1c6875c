"""Several launchers are heard as one, and the first cause of a failure is the one that is told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.errors import RunFailed
from experiments.launching import Launcher
from experiments.training import Training
from tests.workloads.launcher import loopback_job

Events = list[dict[str, Any]]
SPEAK = """
import json, sys, time
for delay_s, event in json.loads(sys.argv[1]):
    time.sleep(delay_s)
    if isinstance(event, int):
        sys.exit(event)
    print(json.dumps(event), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def train(tmp_path: Path) -> Iterator[Callable[..., Training]]:
    """Start processes that report what they are told to, by rank, and hold a job of theirs."""
    started: list[Training] = []

    def train(*scripts: list[Any], why: str | None = None) -> Training:
        launchers = [
            Launcher(
                [sys.executable, "-Ic", SPEAK, json.dumps(script)],
                tmp_path / f"launcher-{rank}.log",
                f"the container of rank {rank}",
                lambda: why,
            )
            for rank, script in enumerate(scripts)
        ]
        training = Training(tmp_path / "launcher.log", launchers)
        started.append(training)
        training.assign(loopback_job(tmp_path, ranks=3))
        return training

    yield train
    for training in started:
        training.close()


def step(rank: int) -> dict[str, Any]:
    return {"kind": "step", "rank": rank, "step": 0}


def exit_of(rank: int, code: int) -> dict[str, Any]:
    return {"kind": "exit", "rank": rank, "code": code}


def heard(training: Training, count: int) -> Events:
    found: Events = []
    while len(found) < count:
        found += training.events(timeout_s=5.0)
    return found


def failure(training: Training) -> str:
    with pytest.raises(RunFailed) as caught:
        while True:
            list(training.events(timeout_s=5.0))
    return str(caught.value)


def test_reports_of_all_are_heard(train: Callable[..., Training]) -> None:
    training = train([[0, step(0)], [0.1, step(0)]], [[0.05, step(1)]])
    ranks = [event["rank"] for event in heard(training, 3)]
    assert sorted(ranks) == [0, 0, 1]


def test_torch_is_imported_when_all_have_said_so(train: Callable[..., Training]) -> None:
    imported = {"kind": "imported"}
    training = train([[0, imported]], [[0.2, imported], [0.2, step(1)]])
    training.wait_imported()
    assert heard(training, 1) == [step(1)]


def test_the_killed_one_is_told_of_though_others_fail_before(
    train: Callable[..., Training],
) -> None:
    training = train([[0, exit_of(0, 1)]], [[0.3, exit_of(1, -9)]], why="out of memory")
    assert failure(training) == "rank 1 (w1) was killed by signal 9: out of memory"


def test_a_rank_that_fails_by_itself_is_quoted(
    train: Callable[..., Training], tmp_path: Path
) -> None:
    (tmp_path / "rank-1.log").write_text("ValueError: no such thing\n")
    training = train([[5, step(0)]], [[0, exit_of(1, 1)]])
    said = failure(training)
    assert said.startswith("rank 1 (w1) exited with code 1; the end of its log:")
    assert "no such thing" in said


@pytest.mark.parametrize(
    ("why", "said"),
    [("the engine is gone", ": the engine is gone"), (None, "; its log is empty")],
)
def test_a_launcher_that_ends_is_named_before_the_ranks_that_miss_it(
    train: Callable[..., Training], why: str | None, said: str
) -> None:
    training = train([[0, exit_of(0, 1)]], [[0.2, 137]], why=why)
    assert failure(training) == f"the container of rank 1 ended{said}"


def test_what_was_lost_is_known_once_the_job_is_over(train: Callable[..., Training]) -> None:
    failed = {"kind": "failed", "rank": 0, "step": 3, "in": None, "error": "Connection closed"}
    over = {"kind": "over"}
    training = train(
        [[0, failed], [0, exit_of(0, 1)], [0.3, over]],
        [[0.1, exit_of(1, -9)], [0, exit_of(2, 1)], [0.2, over]],
    )
    assert failure(training).startswith("rank 1 (w1) was killed by signal 9")
    training.finish()
    assert training.lost == {1, 2}, "rank 0 lives on in what it kept"


def test_a_rank_that_gave_up_says_in_which_exchange_and_of_which_host(
    train: Callable[..., Training],
) -> None:
    failed = {
        "kind": "failed",
        "rank": 1,
        "step": 7,
        "in": "bucket 2, 60000 B",
        "error": "Connection closed by peer [127.0.0.1]:41512",
    }
    training = train([[0, step(0)]], [[0, failed], [0, exit_of(1, 1)]])
    assert failure(training) == (
        "rank 1 (w1) failed in step 7 in the exchange of bucket 2, 60000 B: "
        "Connection closed by peer w0"
    )
