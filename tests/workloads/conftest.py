"""Launchers that end with their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.workloads.launcher import Ahead, Launcher


@pytest.fixture(scope="module")
def ahead() -> Iterator[Ahead]:
    ahead = Ahead()
    yield ahead
    ahead.close()


@pytest.fixture
def launch(ahead: Ahead) -> Iterator[Callable[..., Launcher]]:
    """Start launchers, of all ranks or those stated; they end with the test."""
    started: list[Launcher] = []

    def start(*ranks: str) -> Launcher:
        started.append(Launcher(*ranks) if ranks else ahead.take())
        return started[-1]

    yield start
    for launcher in started:
        launcher.close()
