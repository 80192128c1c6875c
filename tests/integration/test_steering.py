"""Labs that are steered while they are up, and runs whose routing changes under training."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.scenarios import write
from tests.integration.runs import ENVIRONMENT, Run, command_of, eventually, spanlab
from topologies.emulation.claims import STATE
from topologies.emulation.ownership import marked_processes

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_ovs, pytest.mark.slow]

FABRIC = {"kind": "leaf-spine", "leaves": 2, "spines": 2, "rate": "400 Gbit/s", "mtu": 9000}
SPAN = {"rate": "100 Gbit/s", "delay": "4 ms"}
CROSSED = "north-south"
OUTAGE_NS = 4 * 10**9


def triangle() -> dict[str, Any]:
    """Return three small campuses, each with a span to both others; the direct way is shortest."""
    return {
        "name": "triangle",
        "network": {
            "campuses": {
                "north": {"workers": 1, "fabric": FABRIC},
                "south": {"workers": 1, "fabric": FABRIC},
                "east": {"workers": 1, "fabric": {**FABRIC, "kind": "star"}},
            },
            "spans": {CROSSED: SPAN, "south-east": SPAN, "north-east": SPAN},
        },
        "workload": {
            "gradients": "1 GB",
            "compute": "100 ms",
            "steps": 46,
            "reference_steps": 4,
            "timeout": "10 s",
        },
        "emulate": {"bytes": "1/500", "time": 1},
    }


def spoilt(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the checks that make numbers meaningless; a busy machine may fail others."""
    checks = result["fidelity"]["checks"]
    return [check for check in checks if check["fatal"] and not check["ok"]]


class Lab:
    """``spanlab up`` in a session of its own."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "experiments", "up", "--wired"),
                str(write(folder, triangle())),
            ],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.run = ""
        for line in self.process.stdout:
            if " is up" in line:
                self.run = line.split()[1]
                break
        assert self.run, "it did not come up"

    def ask(self, *words: str) -> Any:
        """Run a command on this lab that answers in JSON."""
        done = spanlab(*words, "--run", self.run, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def refused(self, *words: str) -> str:
        done = spanlab(*words, "--run", self.run)
        assert done.returncode == 1, done.stdout
        assert "Traceback" not in done.stderr
        return " ".join(done.stderr.split())

    def on(self, host: str, *command: str) -> subprocess.Popen[str]:
        """Start a command on a host of the lab."""
        pid = json.loads((STATE / self.run / "lab.json").read_text())["hosts"][host]
        return subprocess.Popen(
            ["mnexec", "-a", str(pid), *command], stdout=subprocess.PIPE, text=True
        )

    def controller(self) -> list[int]:
        found = marked_processes(self.run)
        return [pid for pid in found if "-m controller" in command_of(pid)]

    def end(self) -> str:
        self.process.send_signal(signal.SIGINT)
        output, _ = self.process.communicate(timeout=30)
        return output


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with wires in its fabrics, for all tests that steer one."""
    it = Lab(tmp_path_factory.mktemp("lab"))
    yield it
    if it.process.poll() is None:
        it.end()


def test_packets_take_the_intended_way_on_the_wire(lab: Lab) -> None:
    def traced(port: str) -> Any:
        return lab.ask("path", "north-w1", "south-w1", "--trace", "--sport", port)

    for policy in ("ecmp", "shortest-delay"):
        lab.ask("policy", "set", policy)
        with ThreadPoolExecutor() as pool:
            traces = list(pool.map(traced, ("40001", "40002", "40003", "40004")))
        for found in traces:
            assert found["seen"]["arrived"]
            assert found["seen"]["intended"]
            assert found["seen"]["unwired"] == 0
            ways = [[tuple(hop) for hop in way["ports"]] for way in found["ways"]]
            assert [tuple(hop) for hop in found["seen"]["hops"]] in ways
            assert len(ways) == (4 if policy == "ecmp" else 1), "two spines on either side"


def test_a_drained_span_carries_nothing_until_it_is_undrained(lab: Lab) -> None:
    def nodes() -> list[str]:
        found = lab.ask("path", "north-w1", "south-w1", "--trace")
        assert found["seen"]["intended"]
        crossed: list[str] = found["ways"][0]["nodes"]
        return crossed

    assert "east-border" not in nodes()
    lab.ask("drain", CROSSED)
    assert "east-border" in nodes()
    assert lab.ask("status")["spans"][CROSSED]["drained"]
    assert "no other way joins north and south" in lab.refused("drain", "north-east")
    lab.ask("undrain", CROSSED)
    assert "east-border" not in nodes()


def test_what_cannot_be_done_is_said(lab: Lab) -> None:
    assert 'did you mean "ecmp"?' in lab.refused("policy", "set", "ecpm")
    assert 'did you mean "north-south"?' in lab.refused("drain", "north-suoth")
    assert 'did you mean "south-w1"?' in lab.refused("path", "north-w1", "south-w2")
    done = spanlab("status", "--run", "nobody")
    assert done.returncode == 1
    assert lab.run in done.stderr


def test_background_traffic_stays_behind_gradients(lab: Lab) -> None:
    def goodput_bps(*marks: str) -> float:
        with lab.on("south-w1", "iperf3", "--server", "--one-off") as server:
            time.sleep(0.5)
            command = ["iperf3", "-J", "-c", "10.2.0.1", "-u", "-b", "60M", "-l", "1400", "-t", "2"]
            with lab.on("north-w1", *command, *marks) as client:
                output, _ = client.communicate(timeout=20)
            server.wait(timeout=10)
        received: float = json.loads(output)["end"]["sum_received"]["bits_per_second"]
        return received

    lab.ask("policy", "set", "traffic-classes")
    background, gradients = goodput_bps("-S", "32"), goodput_bps()  # DSCP 8
    lab.ask("policy", "set", "shortest-delay")
    span_bps = 100e9 / 500
    assert background < 0.2 * span_bps, "a tenth, and a burst that two seconds do not average out"
    assert gradients > 1.3 * background


def test_spans_are_seen_by_probes(lab: Lab) -> None:
    def measured() -> bool:
        span = lab.ask("status")["spans"][CROSSED]
        return all(span[way]["delay_ns"] is not None for way in ("forward", "backward"))

    eventually(measured, 20.0, "probes")
    span = lab.ask("status")["spans"][CROSSED]
    for way in ("forward", "backward"):
        assert span[way]["delay_ns"] == pytest.approx(4e6, abs=2e6)
        assert span[way]["loss_interval"][0] == 0


def test_a_controller_that_is_killed_goes_on_with_what_it_was_asked(lab: Lab) -> None:
    lab.ask("policy", "set", "ecmp")
    before = lab.ask("status")["health"]
    (pid,) = lab.controller()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: lab.controller() not in ([], [pid]), 10.0, "another controller")

    def ready() -> bool:
        done = spanlab("status", "--run", lab.run, "--json")
        return done.returncode == 0 and json.loads(done.stdout)["health"]["ready"]

    eventually(ready, 10.0, "its switches")
    after = lab.ask("status")["health"]
    assert (after["policy"], after["version"]) == ("ecmp", before["version"])
    assert lab.ask("path", "north-w1", "south-w1", "--trace")["seen"]["intended"]
    lab.ask("policy", "set", "shortest-delay")


def test_a_lab_that_is_told_to_stop_leaves_nothing(lab: Lab) -> None:
    output = lab.end()
    assert lab.process.returncode == 0, output
    assert "Traceback" not in output
    assert marked_processes(lab.run) == []
    assert "no lab is up" in spanlab("status").stderr or "several" in spanlab("status").stderr


@pytest.mark.thorough
def test_an_upgrade_under_training_with_the_controller_killed_before_it(tmp_path: Path) -> None:
    scenario = triangle()
    scenario["network"]["spans"][CROSSED] = {"route": "100 km", "condition": "coherent-100g"}
    scenario["timeline"] = [
        {"at": "step 12", "drain": CROSSED},
        {"at": "step 22", "upgrade": CROSSED, "with": "coherent-400g", "for": "300 ms"},
        {"at": "step 32", "undrain": CROSSED},
        {"at": "step 40", "policy": "ecmp"},
    ]
    run = Run(tmp_path, scenario)
    try:
        run.wait_step(8)
        (pid,) = [pid for pid in run.marked() if "-m controller" in command_of(pid)]
        os.kill(pid, signal.SIGKILL)
        output = run.end()
        assert run.process.returncode == 0, output
        result = run.result
        kinds = [event["kind"] for event in run.events]
        assert "controller restarted" in kinds
        assert result["status"] == "finished"
        assert [event["kind"] for event in result["events"]][-4:] == [
            "drain", "upgrade", "undrain", "policy",
        ]  # fmt: skip
        names = [phase["name"] for phase in result["phases"]]
        assert f"{CROSSED} drained" in names
        assert f"{CROSSED} upgraded" in names
        assert names[-1] == "routing by ecmp"
        drained = next(phase for phase in result["phases"] if phase["name"].endswith("drained"))
        idle = drained["spans"][CROSSED]["bytes"]
        busy = drained["spans"]["north-east"]["bytes"]
        assert idle < 0.02 * busy, "only probes"
        bad = [
            check for check in result["fidelity"]["checks"] if check["fatal"] and not check["ok"]
        ]
        assert bad == []
        assert run.left_behind() == []
    finally:
        run.close()


def test_a_span_that_dies_under_training_is_gone_around(tmp_path: Path) -> None:
    scenario = triangle()
    scenario["workload"]["bucket"] = "100 MB"  # each costs four times the delay of the spans
    scenario["timeline"] = [{"at": "step 14", "fail": CROSSED, "for": f"{OUTAGE_NS // 10**9} s"}]
    run = Run(tmp_path, scenario)
    try:
        output = run.end()
        assert run.process.returncode == 0, output
        result = run.result
        assert result["status"] == "finished"
        assert "rerouted" in [event["kind"] for event in run.events]
        (fail,) = [event for event in run.events if event["kind"] == "fail"]
        down = range(fail["at_ns"], fail["at_ns"] + OUTAGE_NS)
        trained = [step for step in run.steps if step["rank"] == 0 and step["end_ns"] in down]
        assert len(trained) >= 2, "it went around, and did not wait"
        bad = [
            check for check in result["fidelity"]["checks"] if check["fatal"] and not check["ok"]
        ]
        assert bad == []
    finally:
        run.close()
