"""Jobs that work beside the first tests, since they mostly wait.

All that the selected tests need is begun with the session, one job after the other.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.runs import ENVIRONMENT


@dataclass(frozen=True)
class Job:
    """A command that runs in a folder of its own, which holds some files already, and ends well.

    One that measures what other work would change waits to be asked for, ``alone``.
    """

    name: str
    command: tuple[str, ...]
    timeout_s: float
    files: Mapping[str, str] = field(default_factory=dict)
    alone: bool = False


class Background:
    """Does jobs on a thread."""

    def __init__(self, folder: Path, jobs: Iterable[Job]) -> None:
        self._running: subprocess.Popen[bytes] | None = None
        # One at a time: two would take the processor from each other as they measure.
        self._turns = ThreadPoolExecutor(max_workers=1)
        self._folder = folder
        self._ended = {job.name: self._begin(job) for job in jobs if not job.alone}

    def folder_of(self, job: Job) -> Path:
        """Wait until a job has ended; return its folder. Raises AssertionError if it failed."""
        if job.name not in self._ended:
            self._ended[job.name] = self._begin(job)
        return self._ended[job.name].result()

    def close(self) -> None:
        """End what nobody waits for."""
        self._turns.shutdown(wait=False, cancel_futures=True)
        if self._running and self._running.poll() is None:
            os.killpg(self._running.pid, signal.SIGTERM)
        self._turns.shutdown()

    def _begin(self, job: Job) -> Future[Path]:
        return self._turns.submit(self._do, job)

    def _do(self, job: Job) -> Path:
        folder = self._folder / job.name
        folder.mkdir()
        for name, text in job.files.items():
            (folder / name).write_text(text)
        said = folder / "said"
        # What waits for its turn among busy processes measures that, and not the spans.
        command = ["nice", "-n", "-15", *job.command]
        with (
            said.open("wb") as output,
            subprocess.Popen(
                command,
                cwd=folder,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            ) as self._running,
        ):
            try:
                code: int | None = self._running.wait(job.timeout_s)
            except subprocess.TimeoutExpired:
                os.killpg(self._running.pid, signal.SIGTERM)
                code = None
        how = "took too long" if code is None else f"ended with {code}"
        assert code == 0, f"{job.name} {how}: {said.read_text()}"
        return folder
