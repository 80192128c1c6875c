"""Ranks that train in Docker containers: to the end, beyond their memory, and when hurt."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harms import harms
from tests.beside.hurting import as_told, hurt
from tests.fakes.scenarios import tiny
from tests.integration.contained import groups_left, in_containers, inside
from tests.integration.runs import ROOT, Run, eventually, spanlab
from topologies.emulation.containers.engine import running_engine

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_ovs,
    pytest.mark.needs_docker,
    pytest.mark.slow,
    pytest.mark.timeout(900),  # the first run makes the image, from packages if need be
]

Start = Callable[..., Run]
BUILD_S = 600.0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run in containers that ended."""
    limits = in_containers(memory="700 MB", cpus=1)
    run = Run(tmp_path_factory.mktemp("contained"), tiny(**limits))
    run.end(timeout_s=BUILD_S)
    yield run
    run.close()


@pytest.fixture
def begin(run: Run, start: Start) -> Start:
    """Start runs in containers whose image is there already."""

    def begin(**changes: Any) -> Run:
        return start(**{**in_containers(), **changes})

    return begin


def failed(run: Run) -> str:
    """Wait for the end of a run that fails and leaves nothing; return its error."""
    output = run.end()
    assert run.process.returncode == 1, output
    assert "Traceback" not in run.stderr
    assert run.result["status"] == "failed"
    assert run.left_behind() == []
    eventually(lambda: not groups_left(run), 5.0, "control groups")
    return str(run.result["error"])


def test_it_trains_in_containers_and_leaves_nothing(run: Run) -> None:
    assert run.process.returncode == 0, run.end()
    assert run.result["status"] == "finished"
    assert run.result["backend"]["runtime"] == "docker"
    assert run.left_behind() == []
    assert groups_left(run) == []
    aged, upgraded = run.result["phases"]
    assert aged["step_ms"]["p50"] >= 320, "400 kB both ways at 10 Mbit/s"
    assert upgraded["coherence"] > 0.6 > 0.3 > aged["coherence"]
    assert {step["rank"] for step in run.steps} == {0, 1}
    for number in range(tiny()["workload"]["steps"]):
        assert len({step["hash"] for step in run.steps if step["step"] == number}) == 1
    fatal = [c for c in run.result["fidelity"]["checks"] if not c["ok"] and c["fatal"]]
    assert fatal == []


def test_what_the_containers_were_and_came_to_is_recorded(run: Run) -> None:
    up = next(event for event in run.events if event["kind"] == "containers up")
    assert (up["memory_bytes"], up["cpus"]) == (700_000_000, 1)
    assert up["image"].startswith("spanlab-rank:")
    used = [event for event in run.events if event["kind"] == "container"]
    assert [(event["rank"], event["host"]) for event in used] == [(0, "west-w1"), (1, "east-w1")]
    for event in used:
        assert event["memory_peak_bytes"] is None or 5e7 < event["memory_peak_bytes"] <= 7e8


def test_ranks_are_held_to_their_containers(begin: Start) -> None:
    run = begin()
    run.wait_step(5)
    pids = inside(run)
    assert len(pids) == 4, "a launcher and a rank in each of two containers"
    for kind in ("pid", "net", "mnt", "uts", "ipc"):
        places = {Path(f"/proc/{pid}/ns/{kind}").readlink() for pid in pids}
        assert len(places) == 2, kind
        assert Path(f"/proc/self/ns/{kind}").readlink() not in places
    for pid in pids:
        status = Path(f"/proc/{pid}/status").read_text()
        capabilities = next(line for line in status.splitlines() if line.startswith("CapEff"))
        assert int(capabilities.split()[1], 16) == 1 << 1, "CAP_DAC_OVERRIDE alone"
        devices = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
        assert {line.split(":")[0].strip() for line in devices} <= {"lo", "net0", *TUNNELS}
    run.process.send_signal(signal.SIGTERM)
    run.end()
    assert run.result["status"] == "interrupted"
    assert run.left_behind() == []


TUNNELS = {
    "sit0",
    "tunl0",
    "gre0",
    "gretap0",
    "erspan0",
    "ip_vti0",
    "ip6_vti0",
    "ip6tnl0",
    "ip6gre0",
}
"""Devices that some kernels put into every network namespace."""


def test_a_rank_beyond_its_memory_is_named(begin: Start) -> None:
    # Parameters and gradients alone are 200 MB each.
    run = begin(
        emulate__runtime={"name": "docker", "memory": "300 MB"},
        emulate__bytes=1,
        workload__gradients="200 MB",
        workload__bucket="50 MB",
        workload__timeout="60 s",
    )
    said = failed(run)
    assert "out of memory: its container may hold 300 MB" in said
    assert "rank 0 (west-w1)" in said or "rank 1 (east-w1)" in said
    assert "emulate.runtime.memory" in said


@pytest.mark.parametrize(
    "name",
    [
        "container killed",
        pytest.param("container stopped", marks=pytest.mark.thorough),
        pytest.param("rank killed", marks=pytest.mark.thorough),
        pytest.param("container engine killed", marks=pytest.mark.thorough),
        pytest.param("container engine stopped", marks=pytest.mark.thorough),
    ],
)
def test_what_is_hurt_is_named(begin: Start, name: str) -> None:
    if "engine" in name and running_engine():
        pytest.skip("the machine's own engine is not ours to hurt")
    run = begin(workload__timeout="60 s")
    run.wait_step(5)
    hurt(run, harms()[name])
    as_told(run, harms()[name])
    eventually(lambda: not groups_left(run), 5.0, "control groups")


def test_without_docker_nothing_is_built(run: Run, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for folder in os.environ["PATH"].split(":"):
        for program in Path(folder).glob("*"):
            link = programs / program.name
            if program.name not in ("docker", "dockerd") and not link.exists():
                link.symlink_to(program)
    poor = {"PATH": str(programs), "PYTHONPATH": str(ROOT)}
    done = spanlab("run", run.folder / "../lab.yaml", env=poor, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "apt-get install docker.io" in done.stderr
    assert list((tmp_path / "runs").iterdir()) == []
