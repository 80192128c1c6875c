"""The running job: its launchers, what their ranks report, and what a dead one said last."""

from __future__ import annotations

import re
import select
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from experiments.components import Component
from experiments.errors import RanksLost, RunFailed
from experiments.launching import Launcher, last_words
from topologies.interpreter import PYTHON
from workloads.job import Job

IMPORT_TIMEOUT_S = 120.0
GATHER_S = 1.0
"""How long the others are heard after one launcher told of a failure: one that was killed fails the
rest, whose reports may come first."""
STOP_S = 5.0
"""How long a launcher may take to end a job beyond what it leaves its ranks."""


class Training:
    """Launchers that import torch while the network is built, then train one job after the other.

    Ranks are forked by one launcher on this machine, unless ``launchers`` are given.

    Attributes:
        lost: ranks of the job that were killed, or died of something else than an exchange.
        killed: those of them that were to be.
    """

    def __init__(self, log: Path, launchers: Sequence[Launcher] | None = None) -> None:
        """Start the one launcher, whose own errors go to ``log``, or take those given."""
        command = [*PYTHON, "-m", "workloads"]
        self._launchers = list(launchers or [Launcher(command, log)])
        self._busy = 0
        self._job: Job | None = None
        self._failed: dict[int, dict[str, Any]] = {}
        self.lost: set[int] = set()
        self.killed: set[int] = set()
        self._unheard: list[tuple[Launcher, list[dict[str, Any]]]] = []  # while ranks were held

    def assign(self, job: Job) -> None:
        """Give a job, the one before it being over; its ranks join, then wait for `start`."""
        assert not self._busy, "one job at a time"
        self._job, self._failed, self.lost, self.killed = job, {}, set(), set()
        self._busy = len(self._launchers)
        self._send(job.to_json())

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

    def clocks(self) -> dict[str, Callable[[], int]]:
        """Return what asks each launcher for the time by its clock (ns), which its ranks have, too.

        No job may be under way. What it returns raises RunFailed where no answer comes.
        """
        assert not self._busy, "a launcher whose ranks train answers later"
        return {it.name.removeprefix("the "): partial(_time_of, it) for it in self._launchers}

    def components(self) -> Iterator[tuple[Component, int]]:
        """Yield what it consists of, and the process of each."""
        yield from ((Component("launcher", it.name, it.why), it.pid) for it in self._launchers)

    def start(self) -> None:
        """Let the ranks train."""
        self._send("start")

    def hold(self, step: int) -> int:
        """Let all ranks wait before a step; return the last step that any of them has begun.

        Raises RunFailed where a launcher does not answer.
        """
        self._send(f"hold {step}")
        begun: list[int] = []
        deadline = time.monotonic() + STOP_S
        later: list[tuple[Launcher, list[dict[str, Any]]]] = []
        while len(begun) < len(self._launchers):
            if time.monotonic() > deadline:
                raise RunFailed(f"ranks could not be held within {STOP_S:g} s")
            for launcher, events in self._heard(timeout_s=0.2):
                begun += [event["begun"] for event in events if event["kind"] == "holding"]
                later.append((launcher, [it for it in events if it["kind"] != "holding"]))
        self._unheard = later
        return max(begun)

    def go(self) -> None:
        """Let ranks that wait before a step go on."""
        self._send("go")

    def end(self, step: int) -> None:
        """Let the job end before a step that no rank has begun."""
        self._send(f"end {step}")

    def kill(self, rank: int) -> None:
        """Kill a rank of the job, as if its machine took it down."""
        self.killed.add(rank)
        self._send(f"kill {rank}")

    def finish(self) -> None:
        """End what is left of a job some of whose ranks were lost, so that another may follow.

        ``lost`` is then complete. Raises RunFailed where a launcher does not answer.
        """
        assert self._job, "a job was assigned"
        self._send("stop")
        keep = self._job.keep
        patience_s = STOP_S + (self._job.timeout_s if keep and keep.on_failure else 0)
        deadline = time.monotonic() + patience_s
        while self._busy:
            if time.monotonic() > deadline:
                raise RunFailed(f"the ranks of a failed job did not end within {patience_s:g} s")
            for _, events in self._heard(timeout_s=0.2):
                for event in events:
                    self._note(event)

    def events(self, timeout_s: float) -> Iterator[dict[str, Any]]:
        """Yield what has been reported, waiting up to ``timeout_s`` for the first of it.

        Raises RanksLost, naming the rank, when one has died, RunFailed when a launcher has.
        """
        failures: list[tuple[bool, str]] = []
        deadline = float("inf")
        while True:
            for launcher, events in self._heard(timeout_s):
                for event in events:
                    self._note(event)
                    if event["kind"] == "exit" and event["code"]:
                        failures.append(self._obituary(launcher, event["rank"], event["code"]))
                    elif not failures:
                        yield event
            if not failures:
                return
            deadline = min(deadline, time.monotonic() + GATHER_S)
            timeout_s = deadline - time.monotonic()
            if timeout_s <= 0 or len(self._launchers) == 1:
                raise RanksLost(min(failures, key=lambda failure: failure[0])[1])

    def close(self) -> None:
        """End every rank that still runs; they die with their launchers."""
        for launcher in self._launchers:
            if self._job is None:
                launcher.kill()  # it may still be importing
            launcher.end_input()
        deadline = time.monotonic() + 5
        for launcher in self._launchers:
            launcher.close(max(0.0, deadline - time.monotonic()))

    def _send(self, line: str) -> None:
        for launcher in self._launchers:
            launcher.send(line)

    def _heard(self, timeout_s: float) -> Iterator[tuple[Launcher, list[dict[str, Any]]]]:
        """Yield what launchers report; raises RunFailed when one has ended."""
        earlier, self._unheard = self._unheard, []
        yield from earlier
        timeout_s = 0 if earlier else timeout_s
        ready, _, _ = select.select(self._launchers, [], [], timeout_s)
        for launcher in ready:
            events = launcher.read()
            if events is None:
                raise RunFailed(launcher.obituary())
            yield launcher, events

    def _note(self, event: dict[str, Any]) -> None:
        """Remember what is said of a rank that failed, and whether a launcher has done its job."""
        if event["kind"] == "failed":
            self._failed[event["rank"]] = event
        elif event["kind"] == "exit" and event["code"] and event["rank"] not in self._failed:
            self.lost.add(event["rank"])
        elif event["kind"] == "over":
            self._busy -= 1

    def _obituary(self, launcher: Launcher, rank: int, code: int) -> tuple[bool, str]:
        """Return whether a rank failed rather than was killed, and what is said of it."""
        assert self._job is not None, "only a job has ranks"
        me = self._job.rank(rank)
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
        if event["step"] is None:
            return f"to join the others: {error}"
        where = f" in the exchange of {event['in']}" if event["in"] else ""
        return f"in step {event['step']}{where}: {error}"


def _time_of(launcher: Launcher) -> int:
    launcher.send("clock")
    while select.select([launcher], [], [], STOP_S)[0]:
        events = launcher.read()
        if events is None:
            raise RunFailed(launcher.obituary())
        for event in events:
            if event["kind"] == "clock":
                at_ns: int = event["at_ns"]
                return at_ns
    raise RunFailed(f"{launcher.name} did not say what time it is")
