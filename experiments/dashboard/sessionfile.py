"""A session that is not over, as the scenario that does the same again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from experiments.dashboard.lines import Growing
from experiments.scenario import Scenario
from experiments.steering import ended, session_yaml, with_event

ORDERS = ("resume", "finish")


def session_of(scenario: Scenario, folder: Path) -> str:
    """Return the file of a run's session so far.

    Raises FileError where it has not come far enough to be one.
    """
    events = Growing(folder / "events.jsonl").read()
    steps = (line["step"] for line in Growing(folder / "steps.jsonl").read())
    return session_yaml(happened(scenario, events, max(steps, default=0)))


def happened(scenario: Scenario, events: Iterable[Mapping[str, Any]], last_step: int) -> Scenario:
    """Return a scenario with what was wished, that ends after ``last_step``.

    A pause whose end is still open is left out: nothing that is emulated depends on it.
    """
    for event in events:
        if event["kind"] != "wish" or any(order in event["event"] for order in ORDERS):
            continue
        if event["event"].get("pause") is not True:
            step = int(str(event["at"]).removeprefix("step "))
            scenario = with_event(scenario, event["event"], step)
    return ended(scenario, min(last_step + 1, scenario.workload.steps))
