"""A torus of switches with a host at each: built, joined, reached by Mininet's own means, gone."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.build import seconds, torus
from experiments.network import Network, running_network
from experiments.twin import twin_of
from tests.integration.runs import command_of, interfaces, name_of
from topologies.emulation.capabilities import probe
from topologies.emulation.ownership import marked_processes, owned_folder

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_ovs, pytest.mark.slow]


@contextmanager
def built(size: int, logs: Path) -> Iterator[tuple[str, Network]]:
    """Run a torus as a run does; yield the run's name, too."""
    scenario = torus(size)
    run = f"test-{time.monotonic_ns()}"
    with (
        owned_folder(run) as folder,
        running_network(twin_of(scenario), probe(), scenario, folder=folder, logs=logs) as network,
    ):
        yield run, network


def test_hosts_of_a_torus_reach_each_other_and_leave_nothing(tmp_path: Path) -> None:
    before = interfaces()
    with built(3, tmp_path) as (run, network):
        lab, net = network.lab, network.lab.net
        first, last = lab.graph.hosts[0], lab.graph.hosts[-1]
        processes = marked_processes(run)
        assert not [pid for pid in processes if name_of(pid) == "bash"], "no shell for anybody yet"
        (keeper,) = (pid for pid in processes if "keeper.py 9" in command_of(pid))
        assert all(
            Path(f"/proc/{keeper}/task/{lab.pid(host.name)}").exists() for host in lab.graph.hosts
        )

        # A class types these: a shell starts where it is asked for.
        assert " 0% packet loss" in net.get(first.name).cmd(f"ping -c 2 -i 0.2 {last.ip}")
        assert net.get(last.name).IP() == last.ip
        assert net.get(last.name).MAC() == last.mac
        assert last.mac in net.get(last.name).cmd("ip link show net0")
        assert net.pingFull([net.get(first.name), net.get(last.name)])
        shells = [pid for pid in marked_processes(run) if name_of(pid) == "bash"]
        assert len(shells) == 2

        with lab.popen(first.name, ["ip", "-br", "address"], stdout=subprocess.PIPE) as process:
            assert first.ip in process.communicate()[0]
        assert not lab.unmodelled_drops()
    assert marked_processes(run) == []
    assert interfaces() == before


@pytest.mark.thorough
def test_a_hundred_hosts_are_up_and_down_in_seconds() -> None:
    """See `docs/measurements.md` for the figures of a quiet machine: these leave room."""
    up_s, down_s = seconds(10)
    assert up_s < 12
    assert down_s < 8
