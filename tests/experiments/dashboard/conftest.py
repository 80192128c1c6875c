from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.retelling import LESSON, RECORDED, unpacked
from tests.experiments.dashboard.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of twelve ranks that was recorded; not to be written to."""
    return unpacked(RECORDED, tmp_path_factory.mktemp("twelve-ranks"))


@pytest.fixture(scope="session")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that was steered on the page; not to be written to."""
    return unpacked(LESSON, tmp_path_factory.mktemp("lesson"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a browser for the tests of a module."""
    with chromium() as browser:
        yield browser
