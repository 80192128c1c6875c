"""Runs are hurt as a row of docs/troubles.md says, and their end is held against that row."""

from __future__ import annotations

import time

from benchmarks.harms import WITHIN_S, Harm, faults
from benchmarks.planting import HURTS, victims
from tests.integration.runs import Run

SLACK_S = 5.0
"""Beyond what is promised: neighbours may have this machine's processors."""


def hurt(run: Run, harm: Harm) -> None:
    """Do to a run what a row says, to the first of the processes that it may be done to."""
    pids = run.wait(lambda: victims(harm.component, run.name), harm.component)
    HURTS[harm.how](pids[0])


def as_told(run: Run, harm: Harm | None, within_s: float = WITHIN_S + SLACK_S) -> None:
    """Hold the end of a run against its row."""
    begin = time.monotonic()
    run.end(timeout_s=60)
    took_s = time.monotonic() - begin
    path = run.folder / "result.json"
    result = run.result if path.exists() else None
    code = run.process.returncode
    found = faults(harm, result, code=code, stderr=run.stderr)
    assert found == [], found
    assert "Traceback" not in run.stderr
    assert run.left_behind() == []
    assert took_s < within_s, f"took {took_s:.1f} s"
