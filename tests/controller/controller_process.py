"""``python -m controller`` as a process, on either body of the OpenFlow framework."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from controller.client import ControllerClient
from controller.intent import Intent
from topologies.graph import Graph
from topologies.linkstate import LinkState

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Body:
    """An OpenFlow framework, and the interpreter that has it."""

    name: str
    python: Path = Path(sys.executable)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "SPANLAB_OPENFLOW": self.name}


class ControllerProcess:
    """A controller and its two ports, which a later one in the same folder has as well.

    It starts up in the background, until something is asked of it.
    """

    def __init__(
        self, folder: Path, graph: Graph, links: dict[str, LinkState], *more: str, body: Body
    ) -> None:
        """Start it; an intent file that an earlier one left is gone on from."""
        self.folder = folder
        (folder / "graph.json").write_text(graph.to_json())
        self.intent = folder / "intent.json"
        if not self.intent.exists():
            Intent("shortest-delay", links).write(self.intent)
        options = {"--graph": "graph.json", "--intent": "intent.json"}
        self._log = folder / "log"
        with self._log.open("a") as log:
            self.process = subprocess.Popen(
                [str(body.python), "-m", "controller", *sum(options.items(), ()), *more],
                cwd=folder,
                env=body.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    @cached_property
    def line(self) -> str:
        """What it prints once it listens, or nothing if it ends before."""
        assert self.process.stdout
        return self.process.stdout.readline()

    @property
    def openflow_port(self) -> int:
        return int(json.loads(self.line)["openflow_port"])

    @property
    def channel_port(self) -> int:
        return int(json.loads(self.line)["channel_port"])

    @cached_property
    def client(self) -> ControllerClient:
        return ControllerClient(self.channel_port)

    @property
    def same_ports(self) -> tuple[str, ...]:
        """Options that give another controller the ports of this one."""
        return (
            "--openflow-port",
            str(self.openflow_port),
            "--channel-port",
            str(self.channel_port),
        )

    def kill(self) -> None:
        """Give it no chance to do anything more."""
        self.process.kill()
        self.process.communicate()

    def end(self) -> tuple[int, str]:
        """Close its standard input; return its exit code and what it logged."""
        assert self.process.stdin
        if not self.process.stdin.closed:
            assert self.line is not None, "is read before all is closed"
            self.process.communicate(timeout=10)
        return self.process.returncode, self._log.read_text()


class Ahead:
    """Controllers, the next of which starts up while the last one is used."""

    def __init__(self, make: Callable[[Body], ControllerProcess]) -> None:
        self._make = make
        self._next: dict[Body, ControllerProcess] = {}

    def take(self, body: Body) -> ControllerProcess:
        taken = self._next.pop(body, None) or self._make(body)
        self._next[body] = self._make(body)
        return taken

    def close(self) -> None:
        for controller in self._next.values():
            controller.kill()
