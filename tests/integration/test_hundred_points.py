"""A sweep of a hundred points, killed on its way: all of losses, delays and strategies."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.scenarios import tiny
from tests.integration.runs import lines_of, spanlab
from tests.jobs import Job, Jobs

KILLED_AFTER_S = 60
SWEEP: dict[str, Any] = {
    "name": "record",
    "scenario": tiny(
        timeline=None,
        network__spans={"west-east": {"rate": "1 Gbit/s", "delay": "2 ms"}},
        workload__gradients="1 MB",
        workload__bucket="500 kB",
        workload__compute="10 ms",
        workload__steps=20,
        workload__reference_steps=8,
    ),
    "vary": {
        "network.spans.*.loss": [0, 1e-4, 1e-3, 3e-3, 1e-2],
        "network.spans.*.delay": ["1 ms", "2 ms", "5 ms", "10 ms", "20 ms"],
        "workload.strategy": [
            *("ddp", "hierarchical"),
            *({"name": "local-sgd", "every": 4}, {"name": "diloco", "every": 4}),
        ],
    },
}
COMMAND = f"{sys.executable} -m experiments sweep sweep.yaml --out out --json"
RECORD = Job(
    "record",
    ("sh", "-c", f"timeout --signal KILL {KILLED_AFTER_S} {COMMAND} > killed; {COMMAND} > told"),
    timeout_s=1200,
    files={"sweep.yaml": json.dumps(SWEEP)},
)


@pytest.fixture(scope="module")
def folder(jobs: Jobs) -> Path:
    return jobs.folder_of(RECORD)


pytestmark = [
    pytest.mark.slow,
    pytest.mark.thorough,
    pytest.mark.needs_root,
    pytest.mark.needs_ovs,
    pytest.mark.timeout(1500),
]


def test_all_points_ended_once_although_the_sweep_was_killed(folder: Path) -> None:
    assert (folder / "killed").read_text() == "", "it had not ended by then"
    assert json.loads((folder / "told").read_text())["finished"] == 100
    assert sorted(run["index"] for run in lines_of(folder / "out" / "ended.jsonl")) == [*range(100)]


def test_distance_costs_most_who_meets_most_often(folder: Path) -> None:
    question = "select strategy, delay_ns, avg(coherence) c from points where loss = 0 group by all"
    done = spanlab("query", question, "--out", folder / "out", "--json")
    assert done.returncode == 0, done.stderr
    found = {(row["strategy"], row["delay_ns"]): row["c"] for row in json.loads(done.stdout)}
    near, far = 1_000_000, 20_000_000
    assert found["ddp", near] > found["ddp", far]
    assert found["local-sgd every=4", far] > found["ddp", far]
