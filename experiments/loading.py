"""From a scenario file to the scenario with all its scales, and the twin that is emulated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from experiments.autoscale import settled
from experiments.carrying import known
from experiments.scenario import Scenario, load_scenario
from experiments.twin import Twin, twin_of
from topologies.errors import NetworkError
from topologies.files import FileError


def load_twin(path: Path) -> tuple[Scenario, Twin]:
    """Read a scenario file and derive its twin; raises FileError for whatever is wrong with it.

    Scales that the file leaves open are chosen by what this machine is known to carry.
    """
    scenario = load_scenario(path)
    try:
        return settled_twin(scenario)
    except NetworkError as error:
        raise FileError(f"{path}: {error}") from None


def settled_twin(scenario: Scenario) -> tuple[Scenario, Twin]:
    """Choose the scales that a scenario leaves open, and derive its twin; raises NetworkError."""
    scenario, choice = settled(scenario, known())
    twin = twin_of(scenario)
    if choice is None:
        return scenario, twin
    return scenario, replace(twin, because=choice.because, carrying=choice.carrying)
