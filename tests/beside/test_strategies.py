"""Strategies whose ranks do unlike things, over emulated spans: they send what is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.runs import Run

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_ovs,
    pytest.mark.slow,
]

TWO_EACH = {f"network__campuses__{campus}__workers": 2 for campus in ("west", "east")}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "pipeline": ({"activations": "500 kB"}, {}),
    "fsdp-hybrid": ({}, TWO_EACH),
    "async-ps": ({"staleness": 1}, {}),
    "serving": ({"response": "200 kB"}, {}),
}


@pytest.mark.parametrize(
    "name",
    [
        "pipeline",
        "serving",
        pytest.param("fsdp-hybrid", marks=pytest.mark.thorough),
        pytest.param("async-ps", marks=pytest.mark.thorough),
    ],
)
def test_bytes_and_replicas_are_as_they_should(start: Callable[..., Run], name: str) -> None:
    options, changes = CASES[name]
    strategy = {"name": name, **options}
    run = start(workload__strategy=strategy, workload__steps=14, **changes)
    run.end()
    assert run.process.returncode == 0, run.end()
    result = run.result
    assert (result["status"], result["error"]) == ("finished", None)
    fatal = [check for check in result["fidelity"]["checks"] if check["fatal"]]
    assert all(check["ok"] for check in fatal), [check for check in fatal if not check["ok"]]
    counted = [check["subject"] for check in fatal if check["name"] == "gradient bytes"]
    assert counted == ["west-east forward", "west-east backward"]
    # An asynchronous worker may be a step ahead, and so in no phase, as its span changes.
    assert [phase["name"] for phase in result["phases"]] == ["aged", "west-east upgraded"]
    for measured in (result["reference"], *result["phases"]):
        assert ("serving" in measured) == (name == "serving")
    for phase in result["phases"]:
        assert ("staleness" in phase) == (name == "async-ps")
