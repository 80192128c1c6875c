"""Where ranks run: the twin's workers as a job of the training side."""

from __future__ import annotations

import socket
from pathlib import Path
from tempfile import mkdtemp

from experiments.network import Network
from experiments.scenario import Scenario
from experiments.strategyoptions import emulated
from experiments.twin import Twin
from topologies.emulation.lab import HOST_INTERFACE
from workloads import strategies
from workloads.job import Job, Keep, Rank

RENDEZVOUS_PORT = 29_500
CHECKPOINT = 10
"""Steps from one checkpoint to the next where ranks are to restart."""


def job_of(
    scenario: Scenario,
    twin: Twin,
    network: Network,
    hosts_file: Path,
    logs: Path,
    *,
    live: bool = False,
) -> Job:
    """Place the ranks on the lab's hosts, campus by campus; a ``live`` job may be cut anywhere."""
    ranks = tuple(
        Rank(
            rank=number,
            site=host.campus,
            host=host.name,
            address=host.ip,
            interface=HOST_INTERFACE,
            netns=f"/proc/{network.lab.pid(host.name)}/ns/net",
            speed=twin.speeds[number],
        )
        for number, host in enumerate(twin.graph.workers)
    )
    chosen = scenario.workload.strategy
    return Job(
        ranks=ranks,
        strategy=chosen.name,
        options=emulated(chosen.name, chosen.options, scenario.emulate.bytes),
        gradient_bytes=twin.gradient_bytes,
        bucket_bytes=twin.bucket_bytes,
        compute_ns=twin.compute_ns,
        steps=scenario.workload.steps,
        seed=scenario.seed,
        timeout_s=twin.timeout_ns / 1e9,
        port=RENDEZVOUS_PORT,
        hosts_file=str(hosts_file),
        log_folder=str(logs.resolve()),
        task=twin.model.task,
        task_options=dict(twin.model.options),
        variation=twin.variation,
        keep=_keep(scenario, twin, hosts_file.parent, live=live),
    )


def _keep(scenario: Scenario, twin: Twin, folder: Path, *, live: bool) -> Keep | None:
    """Say what ranks keep, if they may have to go on from it."""
    recovery = scenario.workload.recovery
    resumes = strategies.declaration(scenario.workload.strategy.name).resumes
    cut = twin.moves or len(twin.strategies) > 1 or (live and resumes)
    if recovery == "none" and not cut:
        return None
    every = scenario.workload.checkpoint or CHECKPOINT if recovery == "restart" else None
    states = mkdtemp(prefix="states-", dir=folder)
    return Keep(states, every, on_failure=recovery == "continue")


def write_hosts(twin: Twin, folder: Path) -> Path:
    """Write the names of all machines, as /etc/hosts has them, into the run's private folder."""
    names = [f"{host.ip} {host.name}" for host in twin.graph.hosts]
    own_names = f"127.0.0.1 localhost {socket.gethostname()}"
    path = folder / "hosts"
    path.write_text("\n".join([own_names, *names]) + "\n")
    return path
