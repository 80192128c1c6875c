"""Runs are hurt as docs/troubles.md says, and what becomes of them is what it says there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.harms import WITHIN_S, Harm, faults, harms
from benchmarks.planting import HURTS, fill_disk
from experiments.limits import DISK_BYTES
from tests.beside.hurting import SLACK_S, as_told, hurt
from tests.fakes.scenarios import tiny, write
from tests.integration.runs import ENVIRONMENT, Run

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_ovs, pytest.mark.slow]

Start = Callable[..., Run]
CI = {"ovs-vswitchd killed"}
"""Of those rows that end a run each, what CI has time for; test_trouble has others of the kind."""
APART = {"dashboard", "disk", "descriptors", "prober", "container", "container engine"}
ENDING = [
    pytest.param(harm, id=name, marks=() if name in CI else pytest.mark.thorough)
    for name, harm in harms().items()
    if harm.outcome == "failed" and harm.component not in APART
]
GOING_ON = [
    harm
    for harm in harms().values()
    if harm.outcome == "not faithful" and harm.component not in APART
]


@pytest.mark.parametrize("harm", ENDING)
def test_what_a_run_cannot_do_without_ends_it_at_once(start: Start, harm: Harm) -> None:
    run = start(workload__timeout="60 s")
    run.wait_step(5)
    hurt(run, harm)
    as_told(run, harm)


@pytest.mark.thorough
def test_what_it_survives_makes_it_unfaithful(start: Start) -> None:
    run = start("--live", timeline=[], workload__gradients="400 kB", workload__bucket="200 kB")
    run.wait_step(5)
    for harm in sorted(GOING_ON, key=lambda it: it.how == "killed"):
        if harm.name != "controller stopped":  # is the same, by way of a kill
            hurt(run, harm)
    run.wait(lambda: any(it["kind"] == "controller restarted" for it in run.events), "a controller")
    with (run.folder / "wishes.jsonl").open("a") as file:
        file.write(json.dumps({"id": "enough", "event": {"finish": True}}) + "\n")
    output = run.end()
    assert run.process.returncode == 0, output
    for harm in GOING_ON:
        assert faults(harm, run.result, code=0, stderr=run.stderr) == []
    assert run.left_behind() == []


@pytest.mark.thorough
def test_a_controller_that_stands_is_started_again(start: Start) -> None:
    run = start(workload__steps=150, timeline=[])
    run.wait_step(5)
    hurt(run, harms()["controller stopped"])
    as_told(run, harms()["controller stopped"], within_s=60)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["prober killed", "prober stopped", "prober slowed"])
def test_a_prober_is_missed_where_spans_are_measured(start: Start, name: str) -> None:
    run = start(workload__steps=12, workload__reference_steps=4, timeline=[])
    run.wait(lambda: any(event["kind"] == "network up" for event in run.events), "the network")
    hurt(run, harms()[name])
    as_told(run, harms()[name], within_s=60 if "slowed" in name else WITHIN_S + SLACK_S)


@pytest.mark.parametrize(
    "component",
    ["ovs-vswitchd", pytest.param("ovsdb-server", marks=pytest.mark.thorough)],
)
@pytest.mark.parametrize("how", [pytest.param("killed", marks=pytest.mark.thorough), "stopped"])
def test_what_dies_while_the_network_is_built_is_named(
    start: Start, component: str, how: str
) -> None:
    run = start()
    hurt(run, harms()[f"{component} {how}"])
    as_told(run, harms()[f"{component} {how}"])


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a small disk of memory."""
    place = tmp_path / "disk"
    place.mkdir()
    size = f"size={DISK_BYTES * 3 // 2}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_disk_that_is_full_ends_a_run_and_refuses_the_next(disk: Path) -> None:
    run = Run(disk, tiny(workload__steps=5000))
    try:
        run.wait_step(5)
        fill_disk(disk)
        as_told(run, harms()["disk full"])
        assert run.steps, "whole lines"
        assert not list(run.folder.rglob("*.part"))
    finally:
        run.close()
    refused(harms()["disk full before it begins"], disk / "lab.yaml", disk / "other")


def refused(harm: Harm, file: Path, out: Path, *prefix: str) -> None:
    """Start a run that is not to begin, and hold what it says against its row."""
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "experiments", "run", str(file), "--out", str(out)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert faults(harm, None, code=done.returncode, stderr=done.stderr) == []
    assert done.stderr.strip().count("\n") == 0
    assert not out.exists()


def test_too_few_descriptors_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path, tiny())
    harm = harms()["descriptors too few before it begins"]
    refused(harm, file, tmp_path / "out", "prlimit", "--nofile=128:128")


@pytest.mark.thorough
def test_descriptors_that_are_used_up_end_a_run(start: Start) -> None:
    run = start()
    run.wait_step(5)
    HURTS["used up"](run.process.pid)
    as_told(run, harms()["descriptors used up"])


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_run_goes_on_without_the_page_that_shows_it(start: Start, how: str) -> None:
    run = start(workload__steps=60)
    run.wait_step(3)
    with subprocess.Popen(
        [sys.executable, "-m", "experiments", "dashboard", str(run.folder)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    ) as page:
        assert page.stdout is not None
        assert "dashboard: http://" in page.stdout.readline()
        HURTS[how](page.pid)
        try:
            as_told(run, harms()[f"dashboard {how}"], within_s=60)
        finally:
            os.kill(page.pid, signal.SIGKILL)
