"""Runs that end with their test and must leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.scenarios import tiny
from tests.integration.runs import Run


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Start runs of the tiny scenario with more steps than anybody waits for."""
    started: list[Run] = []

    def start(*options: str, **changes: Any) -> Run:
        endless = {"workload__steps": 5000, "workload__timeout": "10 s"}
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(Run(folder, tiny(**{**endless, **changes}), *options))
        return started[-1]

    yield start
    for run in started:
        run.close()
