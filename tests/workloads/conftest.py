"""Launchers that end with their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.workloads.launcher import Launcher, launchers


@pytest.fixture
def launch() -> Iterator[Callable[[], Launcher]]:
    yield from launchers()
