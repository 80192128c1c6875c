"""A real Dask cluster on this machine, whose processes a test may kill."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.integration.runs import ENVIRONMENT, ROOT, eventually


class Cluster:
    """A Dask scheduler and workers on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.processes = folder, list[subprocess.Popen[bytes]]()
        file = folder / "scheduler.json"
        local = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self._start("scheduler", *local, "--scheduler-file", file)
        eventually(file.exists, 30, "the scheduler's file")
        self.address = str(json.loads(file.read_text())["address"])

    @property
    def scheduler(self) -> subprocess.Popen[bytes]:
        return self.processes[0]

    def worker(self, name: str) -> subprocess.Popen[bytes]:
        """Start a worker without a nanny, so that nobody replaces it when it dies."""
        scratch = self.folder / name
        return self._start(
            *("worker", self.address, "--no-nanny", "--no-dashboard", "--nthreads", "1"),
            *("--resources", "emulation=1", "--name", name, "--local-directory", scratch),
        )

    def _start(self, what: str, *arguments: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *map(str, arguments)]
        with (self.folder / f"{what}-{len(self.processes)}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=log, stderr=log)
            )
        return self.processes[-1]

    def close(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()
