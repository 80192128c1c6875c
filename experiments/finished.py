"""The folder of a run that has ended, read back: its result, and the steps of its phases."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from experiments.coherence import SystemStep, system_steps
from experiments.scenario import StrategySpec
from experiments.statistics.phases import period_of, reference_steps
from topologies.files import FileError

REFERENCE = "reference"
_MAY_BE_NULL = ("hash", "loss")


@dataclass(frozen=True)
class FinishedRun:
    """What a run folder says.

    Attributes:
        scenario: as the manifest has it: in text and base units.
        phases: the steps of each that was measured, by name, the settled reference first; a name
            that comes again gets a number.
        period: steps after which the strategy does the same again.
    """

    folder: Path
    scenario: Mapping[str, Any]
    result: Mapping[str, Any]
    phases: Mapping[str, Sequence[SystemStep]]
    period: int

    @property
    def time(self) -> Fraction:
        """Return emulated time per real one."""
        return Fraction(self.scenario["emulate"]["time"])

    @property
    def verdict(self) -> str:
        """Return how far the emulation can be believed."""
        return str(self.result["fidelity"]["verdict"])


def read_run(folder: Path) -> FinishedRun:
    """Read a run folder; raises FileError where it is none, or of a run that did not end."""
    result, manifest = _json(folder, "result.json"), _json(folder, "manifest.json")
    records = _records(folder) if result.get("phases") else []
    try:
        scenario = manifest["scenario"]
        ranks = [len(leg["ranks"]) for leg in result["legs"]]
        strategy = StrategySpec.model_validate(scenario["workload"]["strategy"])
        period = period_of(strategy.options)
        steps = system_steps(records, ranks)
        return FinishedRun(folder, scenario, result, _phases(result, steps, period), period)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        told = str(error).partition("\n")[0]
        raise FileError(
            f"{folder}: was left by another version of spanlab ({type(error).__name__}: {told}); "
            "run its scenario again"
        ) from None


def _phases(
    result: Mapping[str, Any], steps: Sequence[SystemStep], period: int
) -> dict[str, Sequence[SystemStep]]:
    if not result["phases"]:
        return {}
    first = result["phases"][0]["from_step"]
    last = result["reference"].get("to_step", first - 1)
    before = [step for step in steps if step.step <= last]
    found: dict[str, Sequence[SystemStep]] = {REFERENCE: reference_steps(before, period)}
    seen: Counter[str] = Counter()
    for phase in result["phases"]:
        seen[phase["name"]] += 1
        times = seen[phase["name"]]
        name = phase["name"] if times == 1 else f"{phase['name']} ({times})"
        found[name] = [it for it in steps if phase["from_step"] <= it.step <= phase["to_step"]]
    return found


def _records(folder: Path) -> list[dict[str, Any]]:
    """Return the ranks' steps as they reported them: without what they said nothing of."""
    import duckdb

    file = folder / "steps.parquet"
    if not file.exists():
        raise FileError(f"{file}: no such file; the folder is not whole")
    try:
        with duckdb.connect() as database:
            table = database.read_parquet(str(file))
            kept = [name for name in table.columns if name != "exchanges"]
            rows = table.project(", ".join(f'"{name}"' for name in kept)).fetchall()
    except duckdb.Error as error:
        raise FileError(f"{file}: cannot be read: {error}") from None
    return [
        {
            name: value
            for name, value in zip(kept, row, strict=True)
            if value is not None or name in _MAY_BE_NULL
        }
        for row in rows
    ]


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads((folder / name).read_text())
    except FileNotFoundError:
        raise FileError(
            f"{folder}: holds no {name}: name the folder of a run that has ended, such as "
            "runs/three-campuses-..."
        ) from None
    except (OSError, ValueError) as error:
        raise FileError(f"{folder / name}: cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise FileError(f"{folder / name}: is not what a run writes")
    return content
