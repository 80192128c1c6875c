"""The running job: its launchers, what their ranks report, and what a dead one said last."""

from __future__ import annotations

import re
import select
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from experiments.errors import RunFailed
from experiments.launching import Launcher, last_words
from workloads.job import Job

IMPORT_TIMEOUT_S = 120.0
GATHER_S = 1.0
"""How long the others are heard after one launcher told of a failure: one that was killed fails the
rest, whose reports may come first."""


class Training:
    """Launchers that import torch while the network is built, then train a job.

    Ranks are forked by one launcher on this machine, unless ``launchers`` are given.
    """

    def __init__(self, log: Path, launchers: Sequence[Launcher] | None = None) -> None:
        """Start the one launcher, whose own errors go to ``log``, or take those given."""
        command = [sys.executable, "-I", "-m", "workloads"]
        self._launchers = list(launchers or [Launcher(command, log)])
        self._alive = list(self._launchers)
        self._job: Job | None = None
        self._failed: dict[int, dict[str, Any]] = {}

    def assign(self, job: Job) -> None:
        """Give the job; its ranks join, then wait for `start`."""
        self._job = job
        for launcher in self._launchers:
            launcher.send(job.to_json())

    def wait_imported(self) -> None:
        """Wait until torch is imported, after which launchers leave the processor alone."""
        deadline = time.monotonic() + IMPORT_TIMEOUT_S
        waiting = len(self._launchers)
        while time.monotonic() < deadline:
            for event in self.events(timeout_s=0.5):
                waiting -= event["kind"] == "imported"
            if not waiting:
                return
        raise RunFailed(f"importing torch took more than {IMPORT_TIMEOUT_S:g} s")

    def start(self) -> None:
        """Let the ranks train."""
        for launcher in self._launchers:
            launcher.send("start")

    def events(self, timeout_s: float) -> Iterator[dict[str, Any]]:
        """Yield what has been reported, waiting up to ``timeout_s`` for the first of it.

        Raises RunFailed, naming the rank, when one has died.
        """
        failures: list[tuple[bool, str]] = []
        deadline = float("inf")
        while self._alive:
            ready, _, _ = select.select(self._alive, [], [], timeout_s)
            for launcher in ready:
                events = launcher.read()
                if events is None:
                    failures += self._end_of(launcher)
                for event in events or ():
                    if event["kind"] == "exit" and event["code"]:
                        failures.append(self._obituary(launcher, event["rank"], event["code"]))
                    elif event["kind"] == "failed":
                        self._failed[event["rank"]] = event
                    elif not failures:
                        yield event
            if not failures:
                return
            deadline = min(deadline, time.monotonic() + GATHER_S)
            timeout_s = deadline - time.monotonic()
            if timeout_s <= 0 or len(self._launchers) == 1:
                break
        if not failures:
            raise RunFailed("every launcher has ended")
        raise RunFailed(min(failures, key=lambda failure: failure[0])[1])

    def close(self) -> None:
        """End every rank that still runs; they die with their launchers."""
        for launcher in self._launchers:
            if self._job is None:
                launcher.kill()  # it may still be importing
            launcher.end_input()
        deadline = time.monotonic() + 5
        for launcher in self._launchers:
            launcher.close(max(0.0, deadline - time.monotonic()))

    def _end_of(self, launcher: Launcher) -> list[tuple[bool, str]]:
        """Part with a launcher; return what failed, unless all of its ranks had finished."""
        self._alive.remove(launcher)
        code = launcher.code()
        if code == 0 and self._alive:
            return []
        return [(code == 1, launcher.obituary())]

    def _obituary(self, launcher: Launcher, rank: int, code: int) -> tuple[bool, str]:
        """Return whether a rank failed rather than was killed, and what is said of it."""
        assert self._job is not None, "only a job has ranks"
        me = self._job.ranks[rank]
        if failed := self._failed.get(rank):
            return True, f"rank {rank} ({me.host}) failed {self._failure(failed)}"
        how = f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"
        why = launcher.why() if code < 0 else None
        return code > 0, f"rank {rank} ({me.host}) {how}{last_words(self._job.log(rank), why)}"

    def _failure(self, event: dict[str, Any]) -> str:
        """Say in which step and exchange a rank failed, with hosts in place of their addresses."""
        assert self._job is not None, "only a job has ranks"
        error = event["error"]
        for rank in self._job.ranks:
            error = re.sub(rf"\[?\b{re.escape(rank.address)}\b\]?(:\d+)?", rank.host, error)
        where = f" in the exchange of {event['in']}" if event["in"] else ""
        return f"in step {event['step']}{where}: {error}"
