"""The JSON schema of scenario files accepts what the models accept, and knows what keys mean."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from experiments.scenario import load_scenario
from experiments.schema import scenario_schema
from tests.fakes.scenarios import tiny
from topologies.files import FileError

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted(
    path
    for path in (ROOT / "experiments" / "scenarios").rglob("*.yaml")
    if "\nnetwork:" in path.read_text()
)
SCHEMA = scenario_schema()
CHECK = Draft202012Validator(SCHEMA)


def keys(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every key of every kind of thing, with what the schema says of it."""
    for kind, definition in {"": schema, **schema["$defs"]}.items():
        for key, value in definition.get("properties", {}).items():
            yield f"{kind}.{key}", value


def changed(**changes: Any) -> dict[str, Any]:
    """Return the tiny scenario with keys changed, whose path is spelt with two underscores."""
    return tiny(**changes)


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) >= 5


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_bundled_scenarios_are_accepted(path: Path) -> None:
    data = yaml.safe_load(path.read_text())
    assert [error.message for error in CHECK.iter_errors(data)] == []


@pytest.mark.parametrize(
    "short",
    [
        {"network__spans__west-east__jitter": "1 ms"},
        {"network__spans__west-east__loss": 0.001},
        {"network__spans__west-east__queue": "1 MB"},
        {"network__campuses__west__speed": 0.5},
        {"workload__strategy": "diloco"},
        {"workload__strategy": {"name": "pipeline", "activations": "16 MB"}},
        {"workload__strategy": {"overlap": False}},
        {"workload__task": {"name": "language-model", "layers": 2}},
        {"workload__compute": {"mean": "100 ms", "distribution": "gamma", "cv": 0.1}},
        {"emulate": "auto"},
        {"emulate": {"bytes": "1/250", "time": 4, "runtime": "docker"}},
    ],
    ids=str,
)
def test_short_forms_and_options_are_accepted(short: dict[str, Any]) -> None:
    assert [error.message for error in CHECK.iter_errors(changed(**short))] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"sed": 1},
        {"network__campuses__west__wrokers": 2},
        {"network__spans__west-east__loss": 2},
        {"controller": {"policy": "shortest"}},
        {"workload__strategy": "dpp"},
        {"workload__strategy": {"name": "diloco", "evry": 8}},
        {"workload__strategy": {"every": 8}},
        {"workload__task": {"name": "language-model", "layers": 0}},
        {"workload__gradients": 500},
        {"emulate": {"runtime": "podman"}},
    ],
    ids=str,
)
def test_what_models_refuse_is_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    data = changed(**wrong)
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump(data))
    with pytest.raises(FileError):
        load_scenario(file)
    assert list(CHECK.iter_errors(data))


def test_every_key_says_what_it_means() -> None:
    silent = []
    for place, value in keys(SCHEMA):
        meaning = value.get("description", "")
        if not meaning or meaning.startswith("a number and one of"):
            silent.append(place)
    assert silent == [], "give these a Field(description=...)"


def test_defaults_are_as_files_state_them() -> None:
    for place, value in keys(SCHEMA):
        if "dimension" in value and "default" in value:
            assert isinstance(value["default"], str), place
