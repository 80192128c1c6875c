"""``spanlab lab`` as students and teachers meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.errors import BAD_INPUT, FAILED
from experiments.labs.catalogue import LABS
from tests.experiments.labs.students import GOOD
from tests.experiments.test_cli import spanlab


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def test_labs_are_listed_for_people_and_scripts() -> None:
    table, data = spanlab("lab", "list"), spanlab("lab", "list", "--json")
    assert table.returncode == data.returncode == 0
    found = json.loads(data.stdout)
    assert [it["lab"] for it in found] == [1, 2, 3, 4, 5, 6]
    for it in found:
        assert it["page"] in table.stdout
        assert 20 <= it["minutes"] <= 40


def test_a_lab_begins_with_its_files_and_never_writes_over_work(tmp_path: Path) -> None:
    done = spanlab("lab", "start", 4, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "docs/labs/4-failover.md" in done.stdout
    files = sorted(path.name for path in (tmp_path / "lab-4").iterdir())
    assert files == ["answers.yaml", "cut.yaml", "policies.yaml"]
    mine = tmp_path / "lab-4" / "answers.yaml"
    mine.write_text("widest_step_ms: 12\n")
    again = spanlab("lab", "start", 4, folder=tmp_path)
    assert again.returncode == BAD_INPUT
    assert "lab-4: is not empty" in again.stderr and "lab start 4 DIR" in again.stderr
    assert mine.read_text() == "widest_step_ms: 12\n"
    elsewhere = spanlab("lab", "start", 4, "other/place", "--json", folder=tmp_path)
    assert elsewhere.returncode == 0
    assert "other/place/cut.yaml" in json.loads(elsewhere.stdout)["files"]


def test_who_has_done_nothing_is_told_what_to_type(tmp_path: Path) -> None:
    done = spanlab("lab", "check", 1, folder=tmp_path)
    assert done.returncode == FAILED
    assert "./spanlab lab start 1 lab-1; ./spanlab run lab-1/base.yaml" in done.stdout
    assert "0 of 10 passed" in done.stdout


def test_a_student_who_is_done_is_told_so(tmp_path: Path, store: Path) -> None:
    GOOD[2].hand_in(tmp_path, 2, store)
    done = spanlab("lab", "check", 2, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 of 8 passed" in done.stdout
    assert "✗" not in done.stdout


def test_a_teacher_reads_json(tmp_path: Path, store: Path) -> None:
    GOOD[2].without("bbr").hand_in(tmp_path, 2, store)
    done = spanlab("lab", "check", 2, "--json", folder=tmp_path)
    assert done.returncode == FAILED
    found = json.loads(done.stdout)
    assert (found["lab"], found["passed"], found["score"], found["of"]) == (2, False, 5, 8)
    assert found["runs"] == {"base": "runs/lab-2-base", "lossy": "runs/lab-2-lossy"}
    assert {"criterion", "passed", "found", "next"} == set(found["criteria"][0])


def test_runs_and_answers_can_be_named(tmp_path: Path, store: Path) -> None:
    GOOD[2].hand_in(tmp_path, 2, store)
    folders = sorted((tmp_path / "runs").iterdir())
    (tmp_path / "lab-2").rename(tmp_path / "elsewhere")
    answers = tmp_path / "elsewhere" / "answers.yaml"
    done = spanlab("lab", "check", 2, *folders, "--answers", answers, folder=store)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_run_that_never_ended_is_told_and_left_out(tmp_path: Path, store: Path) -> None:
    GOOD[2].hand_in(tmp_path, 2, store)
    begun = tmp_path / "runs" / "begun"
    begun.mkdir()
    manifest = (tmp_path / "runs" / "lab-2-bbr" / "manifest.json").read_text()
    (begun / "manifest.json").write_text(manifest)
    done = spanlab("lab", "check", 2, folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "left out: runs/begun: holds no result.json" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["start", 7], "there is no lab 7; ./spanlab lab list shows 1 to 6"),
        (["check", 0], "there is no lab 0"),
        (["check", 1, "nowhere"], "nowhere: holds no result.json"),
        (["check", 1, "--answers", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
    ],
)
def test_bad_input_is_refused(arguments: list[object], says: str, tmp_path: Path) -> None:
    done = spanlab("lab", *arguments, folder=tmp_path)
    assert done.returncode == BAD_INPUT
    assert says in done.stderr


def test_folders_of_others_are_not_taken_for_runs(tmp_path: Path, store: Path) -> None:
    GOOD[1].hand_in(tmp_path, 1, store)
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "runs" / "notes" / "manifest.json").write_text("[]")
    done = spanlab("lab", "check", 2, "--json", folder=tmp_path)
    assert done.returncode == FAILED
    assert json.loads(done.stdout)["runs"] == {}  # lab 1's are none of lab 2


def test_the_launcher_asks_for_no_root() -> None:
    launcher = (LABS[1].files.parents[3] / "spanlab").read_text()
    needing_root = launcher.split("case $command in")[1].split("needs_root=yes")[0]
    assert " run " in needing_root
    assert " lab " not in needing_root
