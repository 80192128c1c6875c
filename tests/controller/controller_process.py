"""``python -m controller`` as a process, on either body of the OpenFlow framework."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
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
    """A controller and its two ports, which a later one in the same folder has as well."""

    def __init__(
        self,
        folder: Path,
        graph: Graph,
        links: dict[str, LinkState],
        *more: str,
        body: Body,
        policy: str = "shortest-delay",
    ) -> None:
        """Start it; an intent file that an earlier one left is gone on from."""
        (folder / "graph.json").write_text(graph.to_json())
        self.intent = folder / "intent.json"
        if not self.intent.exists():
            Intent(policy, links).write(self.intent)
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
        assert self.process.stdout
        self.line = self.process.stdout.readline()
        if self.line:
            ports = json.loads(self.line)
            self.openflow_port, self.channel_port = ports["openflow_port"], ports["channel_port"]
            self.client = ControllerClient(self.channel_port)

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
            self.process.communicate(timeout=10)
        return self.process.returncode, self._log.read_text()
