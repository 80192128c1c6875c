"""A run folder as the page hears of it: finished, growing, dead, and left by others."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.retelling import lines_of
from experiments.dashboard.digest import Item
from experiments.dashboard.follow import Follower
from experiments.manifest import start_of
from topologies.files import FileError


def items_of(messages: list[dict[str, Any]], kind: str = "") -> list[Item]:
    found = [item for message in messages for item in message.get("items", ())]
    return [item for item in found if not kind or item[0] == kind]


def begin(recorded: Path, folder: Path, **manifest: Any) -> None:
    """Make a run folder that holds a manifest and nothing else."""
    told = json.loads((recorded / "manifest.json").read_text()) | manifest
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(told))


def living() -> dict[str, Any]:
    return {"pid": os.getpid(), "pid_start": start_of(os.getpid())}


def test_a_finished_run_is_told_as_its_result_has_it(recorded: Path) -> None:
    follower = Follower(recorded)
    messages = follower.poll()
    result = json.loads((recorded / "result.json").read_text())
    assert [message["kind"] for message in messages] == ["run", "items", "result", "condition"]
    assert follower.condition.state == "finished" and not follower.condition.steerable
    phases = dict.fromkeys(item[2] for item in items_of(messages, "phase"))
    assert [it for it in phases if it != "reference"][-3:] == [
        it["name"] for it in result["phases"]
    ]
    steps = {item[2] for item in items_of(messages, "step")}
    assert steps >= set(range(2, result["phases"][-1]["to_step"] + 1))
    assert follower.poll() == []


def test_coherence_by_step_agrees_with_the_result(recorded: Path) -> None:
    result = json.loads((recorded / "result.json").read_text())
    told = {item[2]: item[5] for item in items_of(Follower(recorded).poll(), "step")}
    for phase in result["phases"]:
        steps = [told[step] for step in range(phase["from_step"], phase["to_step"] + 1)]
        low, high = phase["coherence_ci"]
        assert low * 0.95 < sum(steps) / len(steps) < high * 1.05


def test_utilisation_and_loss_are_shares(recorded: Path) -> None:
    flows = items_of(Follower(recorded).poll(), "flow")
    assert len({(item[2], item[3]) for item in flows}) == 6
    busiest = max(item[5] for item in flows)
    assert 0.9 < busiest < 1.1, "the old span was full, and nothing more than full"
    assert all(0 <= share <= 1 for item in flows for share in (*item[6:9], item[10]))


def test_a_run_that_grows_is_told_bit_by_bit_and_nothing_twice(
    recorded: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    begin(recorded, folder, **living())
    follower = Follower(folder)
    messages = follower.poll()
    assert [message["kind"] for message in messages] == ["run", "condition"]
    assert follower.condition.state == "live"
    torn = b""
    for told in lines_of(recorded):  # every line comes in two halves
        with (folder / told.file).open("ab") as file:
            file.write(told.line[:20])
        messages += follower.poll() if told.at_s % 1 < 0.02 else []
        with (folder / told.file).open("ab") as file:
            file.write(told.line[20:])
        torn += told.line
    shutil.copy(recorded / "result.json", folder)
    messages += follower.poll()
    whole = items_of(Follower(recorded).poll())
    assert follower.condition.state == "finished"
    for kind in ("rank", "event", "state", "phase"):
        told_items = [item for item in whole if item[0] == kind]
        assert sorted(items_of(messages, kind), key=repr) == sorted(told_items, key=repr)


def test_a_run_whose_process_is_gone_has_died_and_keeps_its_data(
    recorded: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    began = start_of(os.getpid())
    assert began is not None
    begin(recorded, folder, pid=os.getpid(), pid_start=began + 1)  # a pid that was used again
    for name in ("events", "steps"):
        lines = (recorded / f"{name}.jsonl").read_bytes().splitlines(keepends=True)
        (folder / f"{name}.jsonl").write_bytes(b"".join(lines[:40]) + b'{"torn')
    follower = Follower(folder)
    messages = follower.poll()
    assert follower.condition.state == "died"
    assert items_of(messages, "rank")
    assert not follower.condition.steerable


def test_only_a_run_that_listens_can_be_steered(recorded: Path, tmp_path: Path) -> None:
    for live in (False, True):
        folder = tmp_path / f"run-{live}"
        begin(recorded, folder, live=live, **living())
        follower = Follower(folder)
        follower.poll()
        assert follower.condition.steerable == live


def test_a_run_of_another_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"scenario": {"name": "old"}}')
    with pytest.raises(FileError, match=r"another version of spanlab.*run it again"):
        Follower(tmp_path).poll()


def test_a_steered_run_is_told_with_what_was_wished_of_it(lesson: Path) -> None:
    follower = Follower(lesson)
    messages = follower.poll()
    assert follower.condition.saved and not follower.condition.steerable
    result = json.loads((lesson / "result.json").read_text())
    phases = dict.fromkeys(item[2] for item in items_of(messages, "phase"))
    assert list(phases) == [phase["name"] for phase in result["phases"]]
    wishes = [(item[3], item[4]) for item in items_of(messages, "wish")]
    assert ("accepted", "upgrade: north-south, with: coherent-400g") in wishes
    assert [status for status, _ in wishes].count("refused") == 1
    assert [item[2] for item in items_of(messages, "paused")] == [True, False]
    failed = next(item[1] for item in items_of(messages, "phase") if "failed" in item[2])
    states = {item[1]: item[3][0]["up"] for item in items_of(messages, "state") if item[2] == 1}
    assert not states[failed] and list(states.values())[-1]
    assert {item[2] for item in items_of(messages, "verdict")} <= {"faithful", "degraded"}
    steps = [item[2] for item in items_of(messages, "step")]
    assert steps == sorted(set(steps)) and steps[-1] == result["phases"][-1]["to_step"]
