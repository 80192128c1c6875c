"""What a killed run leaves goes, and nothing else."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable

import pytest

from tests.integration.runs import Run, eventually, spanlab

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_ovs, pytest.mark.slow]

Start = Callable[..., Run]


def test_what_a_killed_run_leaves_is_cleaned_and_nothing_else(start: Start) -> None:
    bystander = start()
    run = start()
    for other in (bystander, run):
        other.wait_step(5)
    assert len(run.marked()) > 5
    run.process.kill()
    run.process.wait()
    eventually(lambda: not run.marked(), 5.0, "the run's processes, which end by themselves")
    done = spanlab("clean", "--json")
    assert done.returncode == 0, done.stderr
    assert run.name in json.loads(done.stdout)["runs"]
    assert bystander.name not in json.loads(done.stdout)["runs"]
    run.end()
    assert run.left_behind() == []
    assert not (run.folder / "result.json").exists()
    assert run.steps, "whole lines, up to the end"
    reached = max(step["step"] for step in bystander.steps)
    bystander.wait_step(reached + 2)
    bystander.process.send_signal(signal.SIGTERM)
    bystander.end()
    assert bystander.result["status"] == "interrupted"
    assert bystander.left_behind() == []
