"""Finished runs, written and read back: what ``spanlab compare`` says of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.comparing import comparisons, report
from experiments.finished import REFERENCE, FinishedRun, read_run
from experiments.manifest import manifest_of
from experiments.outcome import Outcome, finish
from experiments.repetitions import groups_of
from tests.experiments.test_cli import spanlab
from tests.fakes.runs import MACHINE, FakeRun
from tests.fakes.scenarios import tiny
from topologies.errors import NetworkError


def finished(
    folder: Path, run: str, *, pace: float = 1.0, status: str = "finished", **changes: Any
) -> Path:
    """Leave the folder of a fake run whose steps are a little uneven, the same in each run."""
    uneven = pace * (1 + 0.01 * np.random.default_rng(1).standard_normal(14))
    fake = FakeRun(folder / run, tiny(**changes), list(uneven))
    fake.record.write(
        "manifest.json", manifest_of(fake.scenario, Path("tiny.yaml"), run, fake.twin, MACHINE)
    )
    outcome = Outcome(session=fake.session)
    if status != "finished":
        outcome.status, outcome.error = status, "on purpose"
    finish(fake.scenario, fake.twin, MACHINE, run, fake.record, outcome)
    return folder / run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {
        "one": finished(folder, "one"),
        "again": finished(folder, "again", pace=1.04, seed=4),
        "larger": finished(folder, "larger", pace=1.5, workload__gradients="8 MB"),
        "scaled": finished(folder, "scaled", pace=2.0, emulate__time=2),
        "failed": finished(folder, "failed", status="failed"),
    }


def read(runs: dict[str, Path], *names: str) -> list[FinishedRun]:
    return [read_run(runs[name]) for name in names]


def sentences(found: dict[str, Any]) -> list[str]:
    return [it["sentence"] for it in found["comparisons"]]


def test_a_run_is_read_back_as_it_was(runs: dict[str, Path]) -> None:
    run = read_run(runs["one"])
    assert list(run.phases) == [REFERENCE, "aged", "west-east upgraded"]
    assert [len(steps) for steps in run.phases.values()] == [3, 5, 5]
    assert [step.step for step in run.phases["aged"]] == [4, 5, 6, 7, 8]
    assert (run.verdict, run.period) == ("faithful", 1)
    assert run.time == 1


def test_phases_of_one_run_are_compared_in_order(runs: dict[str, Path]) -> None:
    found = report(groups_of(read(runs, "one")))
    (sentence,) = sentences(found)
    assert sentence.startswith("west-east upgraded is 3.8")
    (group,) = found["groups"]
    assert [phase["name"] for phase in group["phases"]] == [REFERENCE, "aged", "west-east upgraded"]
    aged = group["phases"][1]
    assert aged["coherence_ci"][0] < 0.25 < aged["coherence_ci"][1]
    assert [row["event"] for row in group["recovery"]] == [
        "age west-east",
        "upgrade west-east with coherent-400g",
    ]
    assert all(row["ci_s"] is None for row in group["recovery"]), "each happened once"


def test_phases_may_be_compared_with_any_other(runs: dict[str, Path]) -> None:
    groups = groups_of(read(runs, "one"))
    found = comparisons(groups, REFERENCE)
    assert [(it.a, it.b) for it in found] == [
        ("aged", REFERENCE),
        ("west-east upgraded", REFERENCE),
    ]
    with pytest.raises(NetworkError, match=r"unknown phase .agde.; .* did you mean .aged"):
        comparisons(groups, "agde")


def test_repetitions_are_runs_that_differ_in_the_seed(runs: dict[str, Path]) -> None:
    found = report(groups_of(read(runs, "one", "again")))
    (group,) = found["groups"]
    assert [run["seed"] for run in group["runs"]] == [3, 4]
    reference = group["phases"][0]
    alone = report(groups_of(read(runs, "one")))["groups"][0]["phases"][0]
    assert reference["step_ms_ci"][1] > 1.1 * alone["step_ms_ci"][1], "two runs, 4 % apart"
    aged = group["phases"][1]
    assert aged["coherence"] == pytest.approx(0.25, rel=0.02), "each by its own reference"
    assert all(row["ci_s"] and row["times"] == 2 for row in group["recovery"])


def test_scenarios_are_compared_phase_by_phase_with_the_first(runs: dict[str, Path]) -> None:
    found = report(groups_of(read(runs, "one", "larger")))
    slow = "tiny (gradients 8 MB)"
    assert [group["name"] for group in found["groups"]] == ["tiny (gradients 4 MB)", slow]
    assert [(it["a"], it["winner"] == it["b"]) for it in found["comparisons"]] == [
        (f"{slow}, {phase}", True) for phase in (REFERENCE, "aged", "west-east upgraded")
    ]
    assert "knows nothing of what differs from run to run" in " ".join(found["notes"])
    with pytest.raises(NetworkError, match="--against"):
        comparisons(groups_of(read(runs, "one", "larger")), "aged")


def test_throughput_is_the_real_systems(runs: dict[str, Path]) -> None:
    found = report(groups_of(read(runs, "one", "scaled")))
    assert all("there is no difference above 3 %" in it for it in sentences(found)), (
        "twice as slow in twice the time"
    )


def test_runs_that_cannot_be_believed_are_left_out_or_told(runs: dict[str, Path]) -> None:
    both = read(runs, "one", "failed")
    found = report(groups_of(both))
    assert [run["counted"] for run in found["groups"][0]["runs"]] == [True, False]
    assert "failed is left out: its emulation was invalid" in found["notes"][0]
    found = report(groups_of(both, unfaithful=True))
    assert [run["counted"] for run in found["groups"][0]["runs"]] == [True, True]
    assert "do not rely on what follows" in found["notes"][0]
    nothing = report(groups_of(read(runs, "failed")))
    assert (nothing["comparisons"], nothing["groups"][0]["phases"]) == ([], [])


def test_one_run_is_no_repetition_of_itself(runs: dict[str, Path], tmp_path: Path) -> None:
    copy = shutil.copytree(runs["one"], tmp_path / "copy")
    with pytest.raises(NetworkError, match="is the same run as"):
        groups_of([read_run(runs["one"]), read_run(copy)])


def test_folders_that_hold_no_whole_run_are_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"holds no result.json: name the folder of a run"):
        read_run(tmp_path)
    copy = shutil.copytree(runs["one"], tmp_path / "copy")
    (copy / "steps.parquet").write_text("not one")
    with pytest.raises(NetworkError, match=r"steps.parquet: cannot be read"):
        read_run(copy)
    (copy / "steps.parquet").unlink()
    with pytest.raises(NetworkError, match="the folder is not whole"):
        read_run(copy)
    (copy / "result.json").write_text("[")
    with pytest.raises(NetworkError, match=r"result.json: is not JSON"):
        read_run(copy)
    shutil.copy(runs["one"] / "result.json", copy)
    shutil.copy(runs["one"] / "steps.parquet", copy)
    (copy / "manifest.json").write_text("{}")
    with pytest.raises(NetworkError, match="was left by another version"):
        read_run(copy)


def test_the_command_tells_people_and_scripts_the_same(runs: dict[str, Path]) -> None:
    for_scripts = spanlab("compare", runs["one"], runs["larger"], "--json")
    assert for_scripts.returncode == 0
    found = json.loads(for_scripts.stdout)
    for_people = spanlab("compare", runs["one"], runs["larger"])
    assert for_people.returncode == 0
    for sentence in sentences(found):
        assert sentence in for_people.stdout
    assert "west-east upgraded" in for_people.stdout
