"""A launcher under test: ``python -m workloads`` on loopback, its job and its events."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from workloads.job import Job, Rank

ROOT = Path(__file__).parents[2]


def loopback_job(folder: Path, ranks: int, **changes: Any) -> Job:
    """Return a small job of ``ranks`` on loopback; its rendezvous port was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    fields: dict[str, Any] = {
        "strategy": "ddp",
        "gradient_bytes": 200_000,
        "bucket_bytes": 60_000,
        "compute_ns": 20_000_000,
        "steps": 6,
        "seed": 11,
        "timeout_s": 20.0,
        "port": port,
        "hosts_file": None,
        "log_folder": str(folder),
        **changes,
    }
    places = (
        Rank(rank, "west" if rank % 2 == 0 else "east", f"w{rank}", "127.0.0.1", "lo")
        for rank in range(ranks)
    )
    return Job(ranks=tuple(places), **fields)


def run_ranks(job: Job, sites: str, layers: int, tell: str) -> dict[str, Any]:
    """Train a job by ``golden_ranks.py``, its ranks on the sites of those letters.

    ``tell`` is ``values``, for parameters and their reference, or ``bytes``, for no parameters.
    """
    placed = tuple(replace(rank, site=site) for rank, site in zip(job.ranks, sites, strict=True))
    ranks = _golden_ranks()
    assert ranks.stdin and ranks.stdout
    ranks.stdin.write(json.dumps([replace(job, ranks=placed).to_json(), layers, tell]) + "\n")
    ranks.stdin.flush()
    ready, _, _ = select.select([ranks.stdout], [], [], 60)
    line = ranks.stdout.readline() if ready else ""
    if not line:
        ranks.kill()
        _golden_ranks.cache_clear()
        raise AssertionError("ranks failed or hang: see standard error")
    found: dict[str, Any] = json.loads(line)
    return found


@cache
def _golden_ranks() -> subprocess.Popen[str]:
    """Start the script once for all tests: torch takes seconds to import."""
    script = Path(__file__).with_name("golden_ranks.py")
    ranks = subprocess.Popen(
        [sys.executable, "-P", str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(ranks.communicate)
    return ranks


class Launcher:
    """The process, and everything it reported in order."""

    def __init__(self, *ranks: str) -> None:
        self.events: list[dict[str, Any]] = []
        self._unread = b""
        self.input_ended = False
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workloads", *ranks],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def send(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def close_input(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.input_ended = True

    def read(self, timeout_s: float = 30.0) -> bool:
        """Take in what is reported next; return False at the end."""
        assert self.process.stdout
        assert select.select([self.process.stdout], [], [], timeout_s)[0], "nothing reported"
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        *lines, self._unread = (self._unread + data).split(b"\n")
        self.events += [json.loads(line) for line in lines]
        return bool(data)

    def until(self, reached: Callable[[], bool], timeout_s: float = 40.0) -> None:
        """Read until something is reached; fail when it is not, or at the end."""
        deadline = time.monotonic() + timeout_s
        while not reached():
            assert time.monotonic() < deadline, self.events[-5:]
            left_s = max(0.1, deadline - time.monotonic())
            assert self.read(left_s), (self.events[-5:], self.errors())

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] == kind]

    def start(self, job: Job) -> None:
        """Give a job, wait for its ranks, let them train."""
        self.until(lambda: bool(self.of("imported")))
        self.send(job.to_json())
        self.until(lambda: len(self.of("ready")) == len(job.ranks))
        self.send("start")

    def finish(self, timeout_s: float = 40.0) -> int:
        """Read until the job is over, end the launcher; return the exit code."""
        if not self.input_ended:
            self.until(lambda: bool(self.of("over")), timeout_s)
            self.close_input()
        deadline = time.monotonic() + timeout_s
        while self.read():
            assert time.monotonic() < deadline
        return self.process.wait(10)

    def ranks(self) -> list[int]:
        """Return the process ids of the ranks, in their order."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def errors(self) -> str:
        assert self.process.stderr
        if self.process.poll() is None:
            return ""
        return self.process.stderr.read().decode()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def gone(pids: list[int], within_s: float = 5.0) -> list[int]:
    """Wait until processes have ended; return those that have not."""
    deadline = time.monotonic() + within_s
    while (left := [pid for pid in pids if _lives(pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


class Ahead:
    """Launchers of all ranks, the next of which imports torch while the last one is used."""

    def __init__(self) -> None:
        self._next: Launcher | None = None

    def take(self) -> Launcher:
        taken, self._next = self._next or Launcher(), Launcher()
        return taken

    def close(self) -> None:
        if self._next:
            self._next.close()
