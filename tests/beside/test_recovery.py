"""Ranks are killed, campuses cut off, moved and brought back, and training goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.harms import harms
from tests.beside.hurting import hurt
from tests.integration.runs import Run

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_ovs,
    pytest.mark.slow,
]

Start = Callable[..., Run]
STAR = {"kind": "star", "rate": "1 Gbit/s"}
SPAN = {"rate": "200 Mbit/s", "delay": "4 ms"}
THREE = {
    "network__campuses": {
        name: {"workers": 1, "fabric": STAR} for name in ("west", "east", "south")
    },
    "network__spans": {"west-east": SPAN, "east-south": SPAN, "west-south": SPAN},
}
STATE_BYTES = 400_000
"""The least that a rank's state takes."""


def finished(run: Run) -> dict[str, Any]:
    """Wait for the end and return the result, on a machine that may be busy with other things."""
    output = run.end(timeout_s=90)
    assert run.process.returncode == 0, output
    assert run.left_behind() == []
    result = run.result
    assert result["status"] == "finished"
    assert result["fidelity"]["verdict"] != "invalid", result["fidelity"]["reasons"]
    return result


def test_ranks_restart_and_campuses_leave_and_join(start: Start) -> None:
    run = start(
        **THREE,
        workload__steps=60,
        workload__recovery="restart",
        workload__checkpoint=4,
        timeline=[
            {"at": "step 11", "kill": "east-w1"},
            {"at": "step 20", "leave": "south"},
            {"at": "step 30", "join": "south"},
        ],
    )
    run.wait_step(36)
    hurt(run, harms()["rank killed"])
    result = finished(run)
    assert {step["step"] for step in run.steps} == set(range(60))
    killed, left, joined, died = result["interruptions"]
    assert killed["cause"].startswith("rank 1 (east-w1) was killed by signal 9")
    assert (killed["workers"], killed["from_step"], killed["state_bytes"]) == (3, 8, 0)
    assert killed["lost_steps"] == killed["step"] - 8
    assert 0 < killed["recovery_s"] < 10
    assert (left["cause"], left["step"], left["lost_steps"]) == ("planned", 20, 0)
    assert (left["workers"], left["state_bytes"]) == (2, 0)
    assert joined["workers"] == 3
    assert joined["state_bytes"] > STATE_BYTES
    assert joined["span_bytes"] > joined["state_bytes"], "it came over the spans"
    assert "was killed by signal 9" in died["cause"]
    reason = "died, and nothing said that it should of rank"
    assert sum(it.startswith(reason) for it in result["fidelity"]["reasons"]) == 1
    phases = {phase["name"]: phase for phase in result["phases"]}
    assert phases["south left"]["workers"] == 2
    assert phases["south joined"]["workers"] == 3
    assert 0.3 < result["goodput"] < 1
    assert {event["kind"] for event in result["events"]} >= {"kill", "leave", "join"}


def test_campuses_that_are_left_go_on_without_the_one_that_is_cut_off(start: Start) -> None:
    run = start(
        **THREE,
        workload__steps=130,
        workload__strategy={"name": "diloco", "every": 4},
        workload__recovery="continue",
        workload__timeout="2 s",
        timeline=[
            {"at": "step 14", "fail": "east", "for": "4 s"},
            {"at": "step 120", "rejoin": "east"},
        ],
    )
    result = finished(run)
    lost, joined = result["interruptions"]
    assert "failed in step" in lost["cause"]
    assert (lost["workers"], lost["lost_steps"], lost["state_bytes"]) == (2, 0, 0)
    assert lost["from_step"] == 16, "the outer step of step 15 was made by those that are left"
    assert 2 < lost["recovery_s"] < 2 + 10
    assert joined["workers"] == 3
    assert joined["state_bytes"] > 3 * STATE_BYTES, "with the moments of AdamW"
    ranks = {step["step"]: set() for step in run.steps}  # type: ignore[var-annotated]
    for step in run.steps:
        ranks[step["step"]].add(step["rank"])
    assert ranks[60] == {0, 2}
    assert ranks[125] == {0, 1, 2}
