"""What labs ship: files, pages and answers that go together."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from experiments.labs.answers import read_answers
from experiments.labs.catalogue import LABS
from experiments.labs.lab import PAGES, Lab
from experiments.scenario import Scenario, load_scenario
from experiments.twin import twin_of
from topologies.files import FileError

BY_NUMBER = pytest.mark.parametrize("lab", LABS.values(), ids=lambda lab: lab.name)


@BY_NUMBER
def test_every_file_is_a_scenario_of_its_lab(lab: Lab) -> None:
    shipped = {path.stem for path in lab.files.glob("*.yaml")} - {"answers"}
    assert shipped == {part.of for part in lab.parts}
    for name in shipped:
        assert load_scenario(lab.files / f"{name}.yaml").name.startswith(lab.name)


@BY_NUMBER
def test_every_part_can_be_run(lab: Lab) -> None:
    for part in lab.parts:
        twin_of(Scenario.model_validate(part.scenario(lab.files)))


@BY_NUMBER
def test_the_answers_ask_for_each_number_once(lab: Lab) -> None:
    keys = [question.key for question in lab.questions]
    asked = yaml.safe_load((lab.files / "answers.yaml").read_text())
    assert list(asked) == keys
    assert not any(asked.values())  # the student's to fill in
    assert read_answers(lab.files / "answers.yaml", keys, needed=True).numbers == {}


@BY_NUMBER
def test_the_page_says_what_to_type_and_what_to_expect(lab: Lab) -> None:
    page = lab.page.read_text()
    assert f"{lab.minutes} minutes" in page
    for command in (f"lab start {lab.number}", f"lab check {lab.number}"):
        assert f"./spanlab {command}\n" in page
    for part in lab.parts:
        assert f"./spanlab run {lab.name}/{part.name}.yaml\n" in page
    for question in lab.questions:
        assert f"`{question.key}`" in page
    assert page.count("<details>") == page.count("</details>") == 1
    for section in ("## The theory", "## Predict", "## Run", "## Questions", "## Further"):
        assert section in page
    assert "Sources: " in page


@BY_NUMBER
def test_the_overview_knows_the_lab(lab: Lab) -> None:
    row = next(
        line for line in (PAGES / "README.md").read_text().splitlines() if lab.page.name in line
    )
    assert lab.title in row
    assert row.endswith(f"| {lab.minutes} | {len(lab.parts)} |")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("speed: 3\n", 'unknown key "speed"; allowed: base_step_ms, lossy_step_ms'),
        ("base_step_ms: 3 ms\n", "base_step_ms: '3 ms' is not a number: leave units out"),
        ("base_step_ms: yes\n", "is not a number"),
        ("base_step_ms: 0\n", "must be a number above 0"),
        ("base_step_ms: .nan\n", "the number is not finite"),
        ("- 3\n", "must hold keys and numbers, such as base_step_ms: 12.5"),
        ("base_step_ms: [\n", "answers.yaml: line 2"),
    ],
)
def test_wrong_answers_say_what_is_wrong(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "answers.yaml"
    path.write_text(text)
    with pytest.raises(FileError) as caught:
        read_answers(path, ["base_step_ms", "lossy_step_ms"], needed=True)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_answers_that_are_not_there_are_none(tmp_path: Path) -> None:
    assert read_answers(tmp_path / "answers.yaml", ["a"], needed=False).numbers == {}
