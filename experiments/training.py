"""The running job: the launcher's process, its events, and what a dead rank said last."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from experiments.errors import RunFailed
from workloads.job import Job

TAIL_LINES = 12
IMPORT_TIMEOUT_S = 120.0


class Training:
    """A launcher that imports torch while the network is built, then trains a job."""

    def __init__(self, log: Path) -> None:
        """Start the launcher; its own errors go to ``log``."""
        self._log = log
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-m", "workloads"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )
        self._job: Job | None = None
        self._unread = b""

    def assign(self, job: Job) -> None:
        """Give the job; its ranks join, then wait for `start`."""
        self._job = job
        self._send(job.to_json())

    def wait_imported(self) -> None:
        """Wait until torch is imported, after which the launcher leaves the processor alone."""
        deadline = time.monotonic() + IMPORT_TIMEOUT_S
        while time.monotonic() < deadline:
            for event in self.events(timeout_s=0.5):
                if event["kind"] == "imported":
                    return
        raise RunFailed(f"importing torch took more than {IMPORT_TIMEOUT_S:g} s")

    def start(self) -> None:
        """Let the ranks train."""
        self._send("start")

    def events(self, timeout_s: float) -> Iterator[dict[str, Any]]:
        """Yield what has been reported, waiting up to ``timeout_s`` for the first of it.

        Raises RunFailed, naming the rank, when one has died.
        """
        pipe = _pipe(self._process.stdout)
        if not select.select([pipe], [], [], timeout_s)[0]:
            return
        data = os.read(pipe.fileno(), 1 << 20)
        if not data:
            raise RunFailed(f"the launcher ended; its last words:\n{_tail(self._log)}")
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            event = json.loads(line)
            if event["kind"] == "exit" and event["code"]:
                raise RunFailed(self._obituary(event["rank"], event["code"]))
            yield event

    def close(self) -> None:
        """End every rank that still runs; they die with the launcher."""
        if self._job is None:
            self._process.kill()  # it may still be importing
        with contextlib.suppress(BrokenPipeError):
            _pipe(self._process.stdin).close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _pipe(self._process.stdout).close()

    def _obituary(self, rank: int, code: int) -> str:
        assert self._job is not None, "only a job has ranks"
        me = self._job.ranks[rank]
        how = f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"
        last_words = _tail(self._job.log(rank))
        said = f"; the end of its log:\n{last_words}" if last_words else "; its log is empty"
        return f"rank {rank} ({me.host}) {how}{said}"

    def _send(self, line: str) -> None:
        try:
            pipe = _pipe(self._process.stdin)
            pipe.write(line.encode() + b"\n")
            pipe.flush()
        except BrokenPipeError:
            raise RunFailed(f"the launcher ended; its last words:\n{_tail(self._log)}") from None


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "opened as a pipe"
    return pipe


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return "\n".join(f"  {line}" for line in lines[-TAIL_LINES:])
