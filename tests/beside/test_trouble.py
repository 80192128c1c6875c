"""Runs that are hurt say what happened, keep what they measured, and leave nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.runs import Run
from topologies.emulation.claims import STATE

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_ovs, pytest.mark.slow]

Start = Callable[..., Run]
TIMEOUT_S = 10.0
"""Of a collective, as the scenario of these runs states it."""
TEARDOWN_S = 10.0


def ended(run: Run, status: str, within_s: float) -> dict[str, Any]:
    """Wait for the end and return the result, having checked what every bad end has in common."""
    begin = time.monotonic()
    output = run.end(timeout_s=60)
    took_s = time.monotonic() - begin
    assert run.process.returncode == 1, output
    assert (run.folder / "result.json").exists(), output
    result = run.result
    assert result["status"] == status
    assert result["fidelity"]["verdict"] == "invalid"
    assert result["error"] in result["fidelity"]["reasons"][0]
    assert status in result["headline"]
    assert json.loads(run.stdout)["status"] == status
    assert "Traceback" not in run.stderr
    assert (run.folder / "report.html").exists()
    assert run.left_behind() == []
    assert took_s < within_s, f"took {took_s:.1f} s"
    return result


def test_a_killed_worker_is_named_and_the_steps_are_kept(start: Start) -> None:
    run = start()
    run.wait_step(6)
    os.kill(run.ranks()[1], signal.SIGKILL)
    result = ended(run, "failed", TIMEOUT_S + TEARDOWN_S)
    assert "rank 1 (east-w1) was killed by signal 9" in result["error"]
    kept = max(step["step"] for step in run.steps)
    assert kept >= 6
    assert result["reference"]["steps_per_s"] > 0
    assert [phase["name"] for phase in result["phases"]] == ["aged"]
    assert (run.folder / "steps.parquet").exists()


def test_a_worker_that_hangs_fails_the_run_within_its_timeout(start: Start) -> None:
    run = start(workload__timeout="1500 ms")  # less than who stands still is waited for
    run.wait_step(5)
    os.kill(run.ranks()[0], signal.SIGSTOP)
    result = ended(run, "failed", 1.5 + 3.0 + TEARDOWN_S)
    # All ranks wait for each other, so that any of them may be the first to give up.
    gave_up = r"failed in step \d+ in the exchange of bucket \d+"
    said = rf"; what followed: rank \d \(\w+-w1\) ({gave_up}|was killed)"
    assert re.search(said, result["error"]), result["error"]
    assert "rank 0 was stopped by a signal" in result["error"]


@pytest.mark.parametrize(
    "signals",
    [
        pytest.param([signal.SIGINT], id="SIGINT", marks=pytest.mark.thorough),
        pytest.param([signal.SIGTERM], id="SIGTERM", marks=pytest.mark.thorough),
        pytest.param([signal.SIGHUP], id="SIGHUP", marks=pytest.mark.thorough),
        pytest.param([signal.SIGINT] * 3, id="impatient"),
    ],
)
def test_a_run_that_is_told_to_stop_stops_cleanly(
    start: Start, signals: list[signal.Signals]
) -> None:
    run = start()
    run.wait_step(5)
    for number in signals:
        run.process.send_signal(number)
        time.sleep(0.15)
    result = ended(run, "interrupted", TEARDOWN_S)
    assert result["reference"]["steps_per_s"] > 0
    assert max(step["step"] for step in run.steps) >= 5


@pytest.mark.parametrize(
    "wait_s",
    [
        pytest.param(0.0, marks=pytest.mark.thorough),
        0.4,
        pytest.param(1.0, marks=pytest.mark.thorough),
    ],
)
def test_a_run_may_be_stopped_while_the_network_comes_up(start: Start, wait_s: float) -> None:
    run = start()
    state = STATE / run.name
    run.wait(state.exists, "the run's folder")
    time.sleep(wait_s)
    run.process.send_signal(signal.SIGINT)
    result = ended(run, "interrupted", TEARDOWN_S)
    assert result["reference"] is None
    assert result["phases"] == []


def test_a_dead_relay_spoils_the_run_and_its_span_is_named(start: Start) -> None:
    run = start()
    run.wait_step(5)
    relays = run.relays()
    if not relays:
        pytest.skip("the kernel's netem carries the spans here")
    os.kill(relays[0], signal.SIGKILL)
    result = ended(run, "failed", TIMEOUT_S + TEARDOWN_S)
    assert "west-east" in result["error"]
    assert [phase["name"] for phase in result["phases"]] == ["aged"]


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough)]
)
def test_an_interrupt_while_the_result_is_written_does_not_lose_it(
    start: Start, number: signal.Signals
) -> None:
    run = start(workload__steps=6, workload__reference_steps=3, timeline=[])
    run.wait(lambda: run.events and run.events[-1]["kind"] == "network gone", "the end")
    run.process.send_signal(number)
    run.end()
    assert "Traceback" not in run.stderr
    assert run.result["status"] in ("finished", "interrupted")
    assert max(step["step"] for step in run.steps) == 5
    assert run.left_behind() == []
