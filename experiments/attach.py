"""Finding a live lab from another process, and entering its network."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from controller.client import ControllerClient
from experiments import durable
from experiments.errors import RunFailed
from topologies.emulation.claims import living
from topologies.emulation.kernel import enter_network
from topologies.emulation.lab import Lab
from topologies.graph import Graph

_FILE = "lab.json"


@dataclass(frozen=True)
class LiveLab:
    """A lab that runs.

    Attributes:
        scenario: its name.
        channel_port: of its controller, on loopback in its network.
        hosts: by name, the process that keeps the host's network namespace.
        devices: the switch and the port of each of its network devices.
    """

    scenario: str
    channel_port: int
    hosts: Mapping[str, int]
    devices: Mapping[str, tuple[str, int]]

    @property
    def controller(self) -> ControllerClient:
        """Its controller; only for who is `inside`."""
        return ControllerClient(self.channel_port)


def describe(folder: Path, scenario: str, lab: Lab, channel_port: int) -> None:
    """Let others find a lab, by its run's private folder."""
    live = LiveLab(
        scenario,
        channel_port,
        {host.name: lab.pid(host.name) for host in lab.graph.hosts},
        lab.devices,
    )
    durable.write(folder / _FILE, json.dumps(asdict(live)))


@contextmanager
def inside(run: str | None = None) -> Iterator[tuple[LiveLab, Graph]]:
    """Enter the network of the lab that runs, or of the one of that run; leave it afterwards.

    Raises RunFailed when there is none, or several to choose from.
    """
    labs = {
        folder.name: (folder, owner) for folder, owner in living() if (folder / _FILE).is_file()
    }
    if run is not None and run not in labs:
        raise RunFailed(f"no lab of run {run} is up; there are: {', '.join(labs) or 'none'}")
    if run is None and len(labs) != 1:
        if labs:
            raise RunFailed(f"several labs are up: say which with --run: {', '.join(labs)}")
        raise RunFailed("no lab is up: start one with ./spanlab up FILE, or during a run")
    folder, owner = labs[run or next(iter(labs))]
    data = json.loads((folder / _FILE).read_text())
    devices = {name: (switch, port) for name, (switch, port) in data.pop("devices").items()}
    graph = Graph.from_json((folder / "graph.json").read_text())
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with Path(f"/proc/{owner}/ns/net").open() as network:
            enter_network(network.fileno())
        yield LiveLab(**data, devices=devices), graph
    finally:
        enter_network(outside)
        os.close(outside)
