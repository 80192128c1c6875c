"""A tiny scenario as plain data, to be varied by each test."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from experiments.scenario import Scenario

STAR = {"kind": "star", "rate": "1 Gbit/s"}
TINY: dict[str, Any] = {
    "name": "tiny",
    "seed": 3,
    "network": {
        "campuses": {
            "west": {"workers": 1, "fabric": STAR},
            "east": {"workers": 1, "fabric": STAR},
        },
        "spans": {"west-east": {"route": "100 km", "rate": "100 Mbit/s", "delay": "4 ms"}},
    },
    "workload": {
        "gradients": "4 MB",
        "bucket": "2 MB",
        "compute": "20 ms",
        "steps": 14,
        "reference_steps": 4,
    },
    "emulate": {"bytes": "1/10", "time": 1},
    "timeline": [{"at": "step 9", "upgrade": "west-east", "with": "coherent-400g"}],
}


def tiny(**changes: Any) -> dict[str, Any]:
    """Return two campuses of one worker each, joined by one span that is upgraded at step 9.

    ``changes`` are keyed by path, with ``__`` between its parts; None removes a key.
    """
    data = deepcopy(TINY)
    for path, value in changes.items():
        *above, last = path.split("__")
        place = data
        for part in above:
            place = place[part]
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return data


def ring(steps: int = 60) -> dict[str, Any]:
    """Return three campuses of two workers each in a ring of equal spans, without upgrades."""
    span = {"rate": "10 Gbit/s", "delay": "1 ms"}
    return {
        "name": "ring",
        "network": {
            "campuses": {name: {"workers": 2} for name in ("north", "south", "east")},
            "spans": {"north-south": span, "south-east": span, "north-east": span},
        },
        "workload": {"gradients": "1 GB", "compute": "100 ms", "steps": steps},
        "emulate": {"bytes": "1/1000", "time": 2},
    }


def scenario_of(data: dict[str, Any]) -> Scenario:
    """Return the data as a scenario, without a file."""
    return Scenario.model_validate(data)


class _Plain(yaml.SafeDumper):
    """Writes shared data twice: scenario files know no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def write(folder: Path, data: dict[str, Any], name: str = "lab.yaml") -> Path:
    """Write the data as a scenario file."""
    path = folder / name
    path.write_text(yaml.dump(data, Dumper=_Plain, sort_keys=False))
    return path
