"""Pairs of hosts with a span between them: with nothing else, or as a run would have it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from experiments.network import Network, running_network
from experiments.scenario import Scenario
from experiments.twin import twin_of
from topologies.emulation.backends import BackEnd, open_impairer
from topologies.emulation.capabilities import probe
from topologies.emulation.impairer import Impairer
from topologies.emulation.kernel import private_network
from topologies.emulation.ownership import owned_folder
from topologies.linkstate import Duplex
from topologies.units import render

SPAN = "west-east"
_PREPARE = """set -e
ip link set lo up
ip addr add {address}/24 dev {device}
ip link set {device} mtu {mtu} up
sysctl -qw net.ipv4.tcp_congestion_control=reno net.ipv4.tcp_no_metrics_save=1"""

Popen = Callable[[list[str]], "subprocess.Popen[str]"]


@dataclass
class Pair:
    """Two hosts: how to start a command on either, and the address of the second."""

    near: Popen
    far: Popen
    address: str


@contextmanager
def bare_spans(
    states: Mapping[str, Duplex], mtu: int, seed: int = 1, backend: BackEnd = "relay"
) -> Iterator[Impairer]:
    """Open spans in a network namespace of their own, in their states, plugged into nothing."""
    with private_network():
        impairer = open_impairer(backend, states, mtu, seed)
        try:
            for span, duplex in states.items():
                impairer.apply(span, duplex)
            yield impairer
        finally:
            impairer.close()


@contextmanager
def joined_hosts(
    states: Mapping[str, Duplex], mtu: int, seed: int = 1, backend: BackEnd = "relay"
) -> Iterator[tuple[Impairer, list[Pair]]]:
    """Give every span a host at each end: its device is the host's only one. TCP is Reno's."""
    with ExitStack() as stack:
        impairer = stack.enter_context(bare_spans(states, mtu, seed, backend))
        pairs = []
        for devices in impairer.cables.values():
            ends = []
            for number, device in enumerate(devices, start=1):
                host = _empty_host(stack)
                subprocess.run(["ip", "link", "set", device, "netns", str(host)], check=True)
                script = _PREPARE.format(address=f"10.9.0.{number}", device=device, mtu=mtu)
                subprocess.run([*_inside(host), "sh", "-c", script], check=True)
                ends.append(host)
            pairs.append(Pair(_starter(ends[0]), _starter(ends[1]), "10.9.0.2"))
        yield impairer, pairs


def _empty_host(stack: ExitStack) -> int:
    """Start a process in a new network namespace, which ends with ``stack``; return its id."""
    here = Path("/proc/thread-self/ns/net").readlink()
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"]
    process = subprocess.Popen(command)
    stack.callback(process.wait)
    stack.callback(process.kill)
    deadline = time.monotonic() + 5
    while Path(f"/proc/{process.pid}/ns/net").readlink() == here:
        if time.monotonic() > deadline:
            raise RuntimeError("a host did not start")
        time.sleep(0.005)
    return process.pid


def _inside(host: int) -> list[str]:
    return ["setpriv", "--pdeathsig", "KILL", "nsenter", "--target", str(host), "--net"]


def _starter(host: int) -> Popen:
    def start(command: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*_inside(host), *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@contextmanager
def switched_hosts(duplex: Duplex, mtu: int, access_bps: int) -> Iterator[tuple[Network, Pair]]:
    """Start two campuses of one worker each, exactly as a run does, joined by one span."""
    scenario = _scenario(duplex, mtu, access_bps)
    with (
        TemporaryDirectory(prefix="spanlab-benchmarks-") as logs,
        owned_folder(f"benchmark-{time.monotonic_ns()}") as folder,
        running_network(
            twin_of(scenario), probe(), scenario, folder=folder, logs=Path(logs)
        ) as network,
    ):
        near, far = network.lab.graph.workers

        def starter(host: str) -> Popen:
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
            return lambda command: network.lab.popen(host, command, **pipes)

        network.controller.set_probing(False)
        network.set_spans({SPAN: duplex})
        yield network, Pair(starter(near.name), starter(far.name), far.ip)


def _scenario(duplex: Duplex, mtu: int, access_bps: int) -> Scenario:
    """Return a scenario of the right shape; what it would train is never trained."""
    fabric = {"kind": "star", "rate": render(access_bps, "rate"), "mtu": mtu}
    rate = render(duplex.forward.rate_bps, "rate")
    delay = render(duplex.forward.delay_ns, "duration")
    return Scenario.model_validate(
        {
            "name": "benchmark",
            "network": {
                "campuses": {name: {"workers": 1, "fabric": fabric} for name in SPAN.split("-")},
                "spans": {SPAN: {"rate": rate, "delay": delay}},
            },
            "workload": {"gradients": "4 MB", "compute": "20 ms", "steps": 8, "reference_steps": 3},
            "emulate": {"bytes": 1, "time": 1},
        }
    )


def goodput_bps(pair: Pair, seconds: float, omit_s: int) -> float:
    """Return what iperf3 says that one TCP flow delivered, leaving out its first seconds."""
    return goodputs_bps([pair], seconds, omit_s)[0]


def goodputs_bps(pairs: list[Pair], seconds: float, omit_s: int) -> list[float]:
    """Return the same of pairs that send at the same time."""
    with ExitStack() as stack:
        for pair in pairs:
            command = ["iperf3", "--server", "--one-off", "--forceflush"]
            server = stack.enter_context(pair.far(command))
            stack.callback(server.kill)
            assert server.stdout is not None, "opened as a pipe"
            if not any("listening" in line for line in server.stdout):
                raise RuntimeError("iperf3 does not listen")
        clients = []
        for pair in pairs:
            times = ["--time", f"{seconds:.0f}", "--omit", str(omit_s)]
            command = ["iperf3", "--client", pair.address, *times, "--json"]
            clients.append(stack.enter_context(pair.near(command)))
            stack.callback(clients[-1].kill)
        answers: list[Any] = [
            json.loads(client.communicate(timeout=seconds + omit_s + 60)[0]) for client in clients
        ]
    if faults := [answer["error"] for answer in answers if "error" in answer]:
        raise RuntimeError(f"iperf3: {faults[0]}")
    return [float(answer["end"]["sum_received"]["bits_per_second"]) for answer in answers]
