"""The folder of a run that has ended, read back: its result, and the steps of its phases."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from experiments.coherence import SystemStep, system_steps
from experiments.live import SESSION
from experiments.manifest import stated
from experiments.runstate import lacking, state_of
from experiments.scenario import load_scenario
from experiments.statistics.phases import period_of, reference_steps
from experiments.strategyspec import StrategySpec
from experiments.understood import MOST_ROWS, understood
from topologies.files import FileError, inside, read_json

REFERENCE = "reference"
_MAY_BE_NULL = ("hash", "loss")


@dataclass(frozen=True)
class FinishedRun:
    """What a run folder says.

    Attributes:
        manifest: what it was, written before it began; of a run that was steered, as it came to be.
        steps: all that count, whatever phase they belong to.
        phases: the steps of each that was measured, by name, the settled reference first; a name
            that comes again gets a number.
        period: steps after which the first strategy does the same again.
        periods: the same of the strategy of each phase, where it is not the first.
        against: by phase, the reference that it is compared with, where that is not the first.
    """

    folder: Path
    manifest: Mapping[str, Any]
    result: Mapping[str, Any]
    steps: Sequence[SystemStep]
    phases: Mapping[str, Sequence[SystemStep]]
    period: int
    periods: Mapping[str, int] = field(default_factory=dict)
    against: Mapping[str, str] = field(default_factory=dict)

    @property
    def references(self) -> set[str]:
        """Return the phases that others are compared with for their coherence."""
        return {REFERENCE, *self.against.values()}

    def period_of(self, phase: str) -> int:
        """Return the steps after which a phase's strategy does the same again."""
        return self.periods.get(phase, self.period)

    @property
    def scenario(self) -> Mapping[str, Any]:
        """Return it as the manifest has it: in text and base units."""
        scenario: Mapping[str, Any] = self.manifest["scenario"]
        return scenario

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
    if state_of(folder) != "complete":
        raise FileError(lacking(folder))
    result, manifest = _json(folder, "result.json"), _json(folder, "manifest.json")
    if (folder / SESSION).exists():
        manifest["scenario"] = stated(load_scenario(inside(folder, SESSION, str(folder))))
    whole = result.get("phases") or (folder / "steps.parquet").exists()
    records = _records(folder) if whole else []
    with understood(folder):
        scenario = manifest["scenario"]
        ranks = (
            [len(leg["ranks"]) for leg in result["legs"]] if "legs" in result else _seen(records)
        )
        strategy = StrategySpec.model_validate(scenario["workload"]["strategy"])
        period = period_of(strategy.options)
        steps = system_steps(records, ranks, _since_ns(result))
        phases = _phases(result, steps, period)
        run = FinishedRun(folder, manifest, result, steps, phases, period, *_others(result))
        _check_said(run)
        return run


def _check_said(run: FinishedRun) -> None:
    """Raise what `understood` tells where what every reader of a run asks for is not there."""
    headline = run.result.get("headline", "")
    for name in (run.result["run"], run.scenario["name"], run.verdict, headline):
        if not isinstance(name, str):
            raise TypeError(f"{name!r} is no text")
    if not run.time > 0:
        raise ValueError(f"a time scale of {run.time}")


def _seen(records: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return how many ranks each leg had, of a result that does not say: those that were heard."""
    legs: dict[int, set[int]] = {}
    for record in records:
        legs.setdefault(record.get("leg", 0), set()).add(record["rank"])
    return [len(legs.get(leg, ())) for leg in range(max(legs, default=0) + 1)]


def _since_ns(result: Mapping[str, Any]) -> list[int]:
    """Return from when steps lasted that followed a pause, or the start of another strategy."""
    pauses = [pause["end_ns"] for pause in result.get("pauses", ())]
    legs = pairwise(result.get("legs", ()))
    begins = [
        after["begin_ns"]
        for before, after in legs
        if after.get("strategy") != before.get("strategy")
    ]
    return sorted([*pauses, *begins])


def _others(result: Mapping[str, Any]) -> tuple[dict[str, int], dict[str, str]]:
    """Return the periods and the references of phases under other strategies than the first."""
    known = {it["name"]: it["period"] for it in (result.get("references") or [])[1:]}
    periods, against = dict(known), {}
    for name, phase in zip(_names(result), result["phases"], strict=True):
        if phase.get("against") in known:
            against[name] = phase["against"]
            periods[name] = known[phase["against"]]
    return periods, against


def _names(result: Mapping[str, Any]) -> list[str]:
    """Return the phases' names; one that comes again gets a number."""
    seen: Counter[str] = Counter()
    found = []
    for phase in result["phases"]:
        seen[phase["name"]] += 1
        times = seen[phase["name"]]
        found.append(phase["name"] if times == 1 else f"{phase['name']} ({times})")
    return found


def _phases(
    result: Mapping[str, Any], steps: Sequence[SystemStep], period: int
) -> dict[str, Sequence[SystemStep]]:
    if not result["phases"]:
        return {}
    first = result["phases"][0]["from_step"]
    last = result["reference"].get("to_step", first - 1)
    before = [step for step in steps if step.step <= last]
    found: dict[str, Sequence[SystemStep]] = {REFERENCE: reference_steps(before, period)}
    named = list(zip(_names(result), result["phases"], strict=True))
    named += [(it["name"], it) for it in (result.get("references") or [])[1:]]
    for name, phase in sorted(named, key=lambda it: int(it[1]["from_step"])):
        found[name] = [it for it in steps if phase["from_step"] <= it.step <= phase["to_step"]]
    return found


def _records(folder: Path) -> list[dict[str, Any]]:
    """Return the ranks' steps as they reported them: without what they said nothing of."""
    import duckdb

    if not (folder / "steps.parquet").exists():
        raise FileError(f"{folder / 'steps.parquet'}: no such file; the folder is not whole")
    file = inside(folder, "steps.parquet", str(folder))
    try:
        with duckdb.connect() as database:
            place = glob.escape(str(file.resolve()))
            counted = database.execute("select count(*) from read_parquet(?)", [place])
            ((count,),) = counted.fetchall()
            if count > MOST_ROWS:
                raise FileError(f"{file}: holds {count} rows; at most {MOST_ROWS} are read")
            table = database.read_parquet(place)
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
    if not (folder / name).exists():
        raise FileError(
            f"{folder}: holds no {name}: name the folder of a run that has ended, such as "
            "runs/three-campuses-..."
        )
    return read_json(inside(folder, name, str(folder)))
