"""What takes long and is judged by many tests: done once, when the first of them asks."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.runs import ENVIRONMENT


@dataclass(frozen=True)
class Job:
    """A command that runs in a folder of its own, which holds some files already, and ends well."""

    name: str
    command: tuple[str, ...]
    timeout_s: float
    files: Mapping[str, str] = field(default_factory=dict)


class Jobs:
    """Does each job once, in a folder for all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._faults: dict[str, str] = {}

    def folder_of(self, job: Job) -> Path:
        """Do a job, once; return its folder. Raises AssertionError if it failed."""
        folder = self._folder / job.name
        if job.name not in self._faults:
            self._faults[job.name] = _fault(job, folder)
        assert not self._faults[job.name], self._faults[job.name]
        return folder


def _fault(job: Job, folder: Path) -> str:
    """Do a job; say what went wrong."""
    folder.mkdir()
    for name, text in job.files.items():
        (folder / name).write_text(text)
    said = folder / "said"
    # What waits for its turn among other processes measures that, and not the spans.
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
        ) as running,
    ):
        try:
            code: int | None = running.wait(job.timeout_s)
        except BaseException as error:
            os.killpg(running.pid, signal.SIGTERM)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            code = None
    how = "took too long" if code is None else f"ended with {code}"
    return "" if code == 0 else f"{job.name} {how}: {said.read_text()}"
