"""One ``tc`` that stays: a change takes a tenth of a millisecond, not the start of a process."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from topologies.emulation.errors import ImpairmentError


class Tc:
    """A ``tc -batch`` in the network namespace of the thread that made it; threads may share it.

    ``tables`` is a folder in which it finds the distributions of jitter, NAME.dist.
    """

    def __init__(self, tables: Path) -> None:
        self._lock = threading.Lock()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            ["tc", "-s", "-d", "-j", "-batch", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env={**os.environ, "TC_LIB_DIR": str(tables)},
            text=True,
            start_new_session=True,  # an interrupt ends the run, which then closes this
        )

    def tell(self, lines: Sequence[str]) -> None:
        """Have commands done that say nothing; a failure is raised by the next `ask`."""
        with self._lock:
            self._write(lines)

    def ask(self, *questions: str) -> list[list[dict[str, Any]]]:
        """Return the answers to commands that show something.

        Raises ImpairmentError, with the complaint, if one of them or of those before has failed.
        """
        assert self._process.stdout is not None, "opened as a pipe"
        with self._lock:
            self._write(questions)
            answers = [self._process.stdout.readline() for _ in questions]
            if not all(answers):
                raise self._failed()
        return [json.loads(answer) for answer in answers]

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with self._lock:
            with contextlib.suppress(BrokenPipeError):  # it had failed, which was raised then
                self._process.stdin.close()
            self._process.wait()
            self._process.stdout.close()
            self._complaints.close()

    def _write(self, lines: Sequence[str]) -> None:
        assert self._process.stdin is not None, "opened as a pipe"
        try:
            self._process.stdin.write("".join(f"{line}\n" for line in lines))
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failed() from None

    def _failed(self) -> ImpairmentError:
        """Return what it complained of before it ended: it ends at its first failure."""
        self._process.wait()
        self._complaints.seek(0)
        return ImpairmentError(f"tc: {' '.join(self._complaints.read().decode().split())}")
