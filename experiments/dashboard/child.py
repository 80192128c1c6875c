"""A run that the dashboard starts: a process of its own, which either may outlive."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

END_S = 90.0
"""How long a run that is told to stop may take to write its result and take its network down."""
LAST_LINES = 6


class Child:
    """``spanlab run FILE --live --out FOLDER``."""

    def __init__(self, file: Path, folder: Path) -> None:
        """Start it, in a session of its own: Ctrl-C is for us, who then tell it."""
        self.file, self.folder = file, folder
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - kept as long as the run
        arguments = ["run", str(file), "--live", "--out", str(folder)]
        self._process = subprocess.Popen(
            [sys.executable, "-BIm", "experiments", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        """Return whether it still runs."""
        return self._process.poll() is None

    def last_words(self) -> str:
        """Return the last lines that it printed as errors, and its exit code."""
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").splitlines()
        said = "\n".join(line for line in lines if line.strip()) and lines[-LAST_LINES:]
        code = self._process.poll()
        return "\n".join([*(said or []), f"(exit code {code})"])

    def end(self) -> bool:
        """Tell it to stop and wait until it has; return whether it did within `END_S`."""
        if self.alive:
            self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            return False
        self._said.close()
        return True
