"""A launcher seen from outside: the process that runs ranks, here or in a container of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from experiments.errors import RunFailed

TAIL_LINES = 12
LAST_WORDS = "; the end of its log:"


class Launcher:
    """A process of ``python -m workloads``: takes requests, reports, ends.

    Attributes:
        name: what it is called when it ends too early.
        why: says what ended it or a rank of its, where something other than itself did.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        name: str = "the launcher",
        why: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Start it; its own errors go to ``log``."""
        self.name, self.why = name, why
        self._log, self._unread = log, b""
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def fileno(self) -> int:
        """Return the descriptor that is readable when something was reported, or when it ended."""
        return _pipe(self._process.stdout).fileno()

    def send(self, line: str) -> None:
        """Send it a request; raises RunFailed if it has ended."""
        try:
            pipe = _pipe(self._process.stdin)
            pipe.write(line.encode() + b"\n")
            pipe.flush()
        except BrokenPipeError:
            raise RunFailed(self.obituary()) from None

    def read(self) -> list[dict[str, Any]] | None:
        """Take in what it reported, waiting for some of it; None at its end."""
        data = os.read(self.fileno(), 1 << 20)
        if not data:
            return None
        *lines, self._unread = (self._unread + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def code(self, within_s: float = 5.0) -> int | None:
        """Return its exit code, once its reports have ended; None if it does not exit."""
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return None

    def obituary(self) -> str:
        """Say that it ended, and why or with what last words."""
        return f"{self.name} ended{last_words(self._log, self.why())}"

    def end_input(self) -> None:
        """Tell it to end itself and all its ranks."""
        with contextlib.suppress(BrokenPipeError):
            _pipe(self._process.stdin).close()

    def kill(self) -> None:
        """End it whatever it does now."""
        self._process.kill()

    def close(self, within_s: float) -> None:
        """Wait for its end, which is forced after a while; its input must have ended."""
        if self.code(within_s) is None:
            self._process.kill()
            self._process.wait()
        _pipe(self._process.stdout).close()


def last_words(log: Path, why: str | None) -> str:
    """Say why something ended, or what its log ends with."""
    if why:
        return f": {why}"
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    said = "\n".join(f"  {line}" for line in lines[-TAIL_LINES:])
    return f"{LAST_WORDS}\n{said}" if said else "; its log is empty"


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "opened as a pipe"
    return pipe
