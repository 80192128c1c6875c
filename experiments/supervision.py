"""The controller as a process of its own, started again on the same ports when it dies."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from controller.client import ControllerClient
from controller.errors import ControllerError
from experiments.errors import RunFailed
from topologies.interpreter import PYTHON

_END_TIMEOUT_S = 3.0
DYING_S = 0.5
"""How long one that does not answer may take to be dead."""

Answer = TypeVar("Answer")


class SupervisedController:
    """Runs ``python -m controller``, which ends when its standard input does.

    It starts while others work: whoever first asks for `client` or `openflow_port` waits until it
    listens, and gets RunFailed, with the end of its log, when it does not start.

    Attributes:
        restarts: how often it had died and was started again.
    """

    def __init__(self, graph: Path, intent: Path, log: Path) -> None:
        """Take the files that say what it controls and what is asked of it, and one for its log."""
        self.restarts = 0
        self._files = ["--graph", str(graph), "--intent", str(intent)]
        self._log = log
        self._process = self._start()

    @cached_property
    def client(self) -> ControllerClient:
        """What talks to it; stays good when it is started again."""
        return ControllerClient(self._first_ports["channel_port"])

    @property
    def openflow_port(self) -> int:
        """The port that switches connect to."""
        return self._first_ports["openflow_port"]

    @cached_property
    def _first_ports(self) -> dict[str, int]:
        """The ports it listens on, from now on whenever it is started."""
        ports = self._ports()
        for name, port in ports.items():
            self._files += [f"--{name.replace('_', '-')}", str(port)]
        return ports

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def restart_if_dead(self, within_s: float = 0.0) -> bool:
        """Start it again if it has died; return whether it had. Switches forward on meanwhile.

        Who was just cut off by its death sees that a moment earlier than it can be seen here.
        """
        deadline = time.monotonic() + within_s
        while self._process.poll() is None:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        self._close()
        self.restarts += 1
        self._process = self._start()
        self._ports()
        return True

    def ask(self, question: Callable[[ControllerClient], Answer]) -> Answer:
        """Return a question's answer; asks once more where the controller had died.

        Raises ControllerError.
        """
        try:
            return question(self.client)
        except ControllerError:
            if not self.restart_if_dead(DYING_S):
                raise
            return question(self.client)

    def __enter__(self) -> SupervisedController:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as stderr:
            return subprocess.Popen(
                [*PYTHON, "-m", "controller", *self._files],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )

    def _ports(self) -> dict[str, int]:
        """Wait until it listens; one that was killed before is started again, once."""
        line = self._first_line()
        if not line and self._is_killed():
            self._close()
            self.restarts += 1
            self._process = self._start()
            line = self._first_line()
        if not line:
            self._close()
            said = self._log.read_text(errors="replace").strip()[-2000:]
            raise RunFailed(f"the controller did not start; the end of its log:\n{said}")
        ports: dict[str, int] = json.loads(line)
        return ports

    def _first_line(self) -> bytes:
        assert self._process.stdout is not None, "opened as a pipe"
        return self._process.stdout.readline()

    def _is_killed(self) -> bool:
        """Return whether a signal ended it, of one that says nothing any more."""
        try:
            return self._process.wait(DYING_S) < 0
        except subprocess.TimeoutExpired:
            return False

    def _close(self) -> None:
        process = self._process
        assert process.stdin is not None and process.stdout is not None, "opened as pipes"
        process.stdin.close()
        try:
            process.wait(timeout=_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
