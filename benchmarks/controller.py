"""The controller: failover without it, drained upgrades, rules for a torus, time to route anew."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.estimators import quantile
from benchmarks.scoreboard import Study, Table, Target
from benchmarks.sequence import INTERVAL_S, sequence
from controller.client import ControllerClient
from controller.intent import Intent
from experiments.network import Network, running_network
from experiments.scenario import Scenario, load_scenario
from experiments.twin import Twin, twin_of
from topologies.emulation.capabilities import probe
from topologies.emulation.kernel import private_network
from topologies.emulation.ovs import open_vswitch
from topologies.emulation.ownership import owned_folder
from topologies.graph import Graph, build_graph
from topologies.linkstate import Duplex
from topologies.spec import NetworkSpec

DEMO = Path(__file__).parents[1] / "experiments" / "scenarios" / "three-campuses.yaml"
SPAN, PAIR = "north-south", ("north-w1", "south-w1")
WORK_S = 0.5
"""How long the work of an upgrade takes the span down."""
RECOVERED_S = 1.2
"""After which a span that came back by itself is in use again: it is held for half a second."""
TORUS = 10


def run(quick: bool) -> Study:
    """Measure on the demo's network, and on a torus of switches with nothing else."""
    study = Study("controller", "Controller: failures, upgrades, rules")
    scenario = load_scenario(DEMO)
    with demo_network(scenario) as (network, twin):
        _failover(study, network, twin, 10 if quick else 100)
        _upgrades(study, network, twin, 2 if quick else 10)
    _torus(study)
    return study


@contextmanager
def demo_network(scenario: Scenario) -> Iterator[tuple[Network, Twin]]:
    """Start the demo's network with its spans as campus grade, and nothing that trains."""
    twin = twin_of(scenario)
    with (
        TemporaryDirectory(prefix="spanlab-benchmarks-") as logs,
        owned_folder(f"benchmark-{time.monotonic_ns()}") as folder,
        running_network(twin, probe(), scenario, folder=folder, logs=Path(logs)) as network,
    ):
        network.set_spans(dict.fromkeys(twin.graph.spans, twin.reference))
        yield network, twin


def _failover(study: Study, network: Network, twin: Twin, failures: int) -> None:
    """Cut the span under a flow again and again, and count what does not arrive."""
    random_ = random.Random(5)
    usual = twin.reference
    down = Duplex(*(replace(way, up=False) for way in usual.ways))
    cuts, routed_ms = [], []
    with sequence(network.lab, *PAIR) as flow:
        time.sleep(1)
        for _ in range(failures):
            time.sleep(random_.uniform(0, 0.1))
            begin_ns = time.monotonic_ns()
            version = network.controller.health().version
            cut_ns = time.monotonic_ns()
            network.impairer.apply(SPAN, down)
            while (health := network.controller.health()).version == version:
                time.sleep(0.05)
            routed_ms.append((health.in_force_ns - cut_ns) / 1e6)
            cuts.append((begin_ns, time.monotonic_ns() + 100_000_000))
            time.sleep(0.2)
            network.impairer.apply(SPAN, usual)
            time.sleep(RECOVERED_S)
    lost_ms = sorted(flow.lost(*cut) * INTERVAL_S * 1e3 for cut in cuts)
    study.tables.append(
        Table(
            ["", "median", "p99", "worst"],
            [
                [
                    "traffic lost per failure (ms)",
                    statistics.median(lost_ms),
                    quantile(lost_ms, 0.99),
                    lost_ms[-1],
                ],
                [
                    "until the controller has routed anew (ms)",
                    statistics.median(routed_ms),
                    quantile(sorted(routed_ms), 0.99),
                    max(routed_ms),
                ],
            ],
            f"{failures} failures of one span of the demo, a datagram a millisecond across it",
        )
    )
    study.targets += [
        Target("failover, p99 of seeded failures", quantile(lost_ms, 0.99), 50, unit="ms"),
        Target(
            "routing anew after a failure, median", statistics.median(routed_ms), 200, unit="ms"
        ),
    ]
    study.raw["failover lost ms"], study.raw["routed anew ms"] = lost_ms, routed_ms


def _upgrades(study: Study, network: Network, twin: Twin, times: int) -> None:
    """Do the same work on a span, drained first and not, under a flow."""
    usual = twin.reference
    down = Duplex(*(replace(way, up=False) for way in usual.ways))
    better = Duplex(*(replace(way, rate_bps=2 * way.rate_bps) for way in usual.ways))
    lost: dict[bool, list[float]] = {True: [], False: []}
    gaps: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(times):
        for drained in (True, False):
            with sequence(network.lab, *PAIR) as flow:
                time.sleep(0.5)
                begin_ns = time.monotonic_ns()
                if drained:
                    network.controller.drain(SPAN)
                network.impairer.apply(SPAN, down)
                time.sleep(WORK_S)
                network.set_spans({SPAN: better})
                if drained:
                    network.controller.undrain(SPAN)
                time.sleep(RECOVERED_S)
                end_ns = time.monotonic_ns()
            lost[drained].append(flow.lost(begin_ns, end_ns))
            gaps[drained].append(flow.longest_gap_ns(begin_ns, end_ns) / 1e6)
            network.set_spans({SPAN: usual})
    study.tables.append(
        Table(
            ["upgrade", "datagrams lost, all", "worst", "longest silence (ms), median", "worst"],
            [
                [name, sum(lost[it]), max(lost[it]), statistics.median(gaps[it]), max(gaps[it])]
                for name, it in (("drained", True), ("not drained", False))
            ],
            f"{times} upgrades of each kind whose work takes the span down for {WORK_S:g} s",
        )
    )
    study.targets.append(
        Target("datagrams lost in drained upgrades", sum(lost[True]), 0, unit="datagrams")
    )


def torus_graph() -> Graph:
    """Return one campus: a torus of 100 switches with a host on each."""
    fabric = {"kind": "torus", "leaves": TORUS, "spines": TORUS}
    spec = {"campuses": {"alone": {"workers": 100, "fabric": fabric}}, "spans": {}}
    return build_graph(NetworkSpec.model_validate(spec))


def _torus(study: Study) -> None:
    """Let the controller fill the tables of a torus of real switches."""
    graph = torus_graph()
    with (
        TemporaryDirectory(prefix="spanlab-ovs-") as name,
        private_network(),
        open_vswitch(Path(name) / "ovs"),
    ):
        folder = Path(name)
        (folder / "graph.json").write_text(graph.to_json())
        Intent("shortest-delay", {}).write(folder / "intent.json")
        command = [sys.executable, "-I", "-m", "controller"]
        command += ["--graph", str(folder / "graph.json"), "--intent", str(folder / "intent.json")]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdin is not None and process.stdout is not None, "opened as pipes"
            ports = json.loads(process.stdout.readline())
            client = ControllerClient(ports["channel_port"], timeout_s=60)
            subprocess.run(["ovs-vsctl", *_bridges(graph)], check=True)
            # All are built; now let them meet the controller at once.
            begin = time.monotonic()
            subprocess.run(["ovs-vsctl", *_controllers(graph, ports["openflow_port"])], check=True)
            client.wait_ready(60)
            took_s = time.monotonic() - begin
            rules = sum(
                int(
                    subprocess.run(
                        ["ovs-ofctl", "-O", "OpenFlow13", "dump-aggregate", f"s{switch.dpid}"],
                        check=True,
                        capture_output=True,
                        text=True,
                    ).stdout.rpartition("flow_count=")[2]
                )
                for switch in graph.switches
            )
            process.stdin.close()
    study.tables.append(
        Table(
            ["switches", "hosts", "rules", "seconds from the first connection to ready"],
            [[len(graph.switches), len(graph.workers), rules, took_s]],
            "A torus of 10 x 10 switches, all rules",
        )
    )
    study.targets.append(Target("10 x 10 torus, all rules installed", took_s, 5, unit="s"))


def _bridges(graph: Graph) -> list[str]:
    """Return the words that build every switch, joined by patches."""
    words: list[str] = []
    for switch in graph.switches:
        bridge = f"s{switch.dpid}"
        words += ["--", "add-br", bridge, "--", "set", "bridge", bridge]
        words += ["datapath_type=netdev", "fail_mode=secure", "protocols=OpenFlow13"]
        words += [f"other-config:datapath-id={switch.dpid:016x}"]
    dpids = {switch.name: switch.dpid for switch in graph.switches}
    for link in graph.links:
        if link.kind == "access":
            continue
        ends = [(dpids[link.a], link.a_port), (dpids[link.b], link.b_port)]
        for (dpid, port), (peer, peer_port) in (ends, ends[::-1]):
            words += ["--", "add-port", f"s{dpid}", f"s{dpid}-{port}"]
            words += ["--", "set", "interface", f"s{dpid}-{port}", "type=patch"]
            words += [f"ofport_request={port}", f"options:peer=s{peer}-{peer_port}"]
    return words[1:]


def _controllers(graph: Graph, port: int) -> list[str]:
    words: list[str] = []
    for switch in graph.switches:
        words += ["--", "set-controller", f"s{switch.dpid}", f"tcp:127.0.0.1:{port}"]
    return words[1:]
