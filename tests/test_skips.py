"""A run that skipped every privileged test, or tried many tests twice, must not be green."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Again

ROOT = Path(__file__).parents[1]
POOR_MACHINE = """
from dataclasses import replace
from topologies.emulation import capabilities
probed = replace(capabilities.probe(), root=False, missing=("root: run it again with sudo",))
capabilities.probe = lambda: probed
from tests.conftest import *
"""
PRIVILEGED = "import pytest\n@pytest.mark.needs_root\ndef test_privileged(): pass\n"
PURE = "def test_pure(): pass\n"


TWICE = """
import pytest
tries = []
@pytest.mark.parametrize("number", range({unsure}))
def test_unsure(number):
    tries.append(number)
    assert tries.count(number) == 2, "the first time"
"""


def session(
    folder: Path, ci: str, conftest: str, tests: str, *options: str
) -> subprocess.CompletedProcess[str]:
    folder.joinpath("conftest.py").write_text(conftest)
    folder.joinpath("test_sample.py").write_text(tests)
    folder.joinpath("pytest.ini").write_text("[pytest]\nmarkers =\n  needs_root: x\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(folder)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CI": ci},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_ci_fails_when_every_privileged_test_was_skipped(tmp_path: Path) -> None:
    done = session(tmp_path, "true", POOR_MACHINE, PRIVILEGED + PURE)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "every privileged test was skipped (1)" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout


@pytest.mark.parametrize(
    ("ci", "tests"), [("", PRIVILEGED + PURE), ("true", PURE)], ids=["not CI", "none selected"]
)
def test_otherwise_skipping_is_fine(tmp_path: Path, ci: str, tests: str) -> None:
    done = session(tmp_path, ci, POOR_MACHINE, tests)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("unsure", [Again.MOST, Again.MOST + 1])
def test_what_fails_is_tried_once_more_and_shown_and_only_so_often(
    tmp_path: Path, unsure: int
) -> None:
    tests = TWICE.format(unsure=unsure) + PURE
    done = session(tmp_path, "", "from tests.conftest import *", tests, "--reruns=1")
    assert f"{unsure + 1} passed, {unsure} rerun" in done.stdout
    assert done.stdout.count("AssertionError: the first time\n") == unsure, done.stdout
    assert (done.returncode == 0) == (unsure == Again.MOST), done.stdout


def test_what_fails_twice_fails(tmp_path: Path) -> None:
    wrong = "def test_wrong(): assert False\n"
    done = session(tmp_path, "", "from tests.conftest import *", wrong + PURE, "--reruns=1")
    assert "1 failed, 1 passed, 1 rerun" in done.stdout
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
