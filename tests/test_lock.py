"""The lock pins what is installed: each by version and hash, from the index alone."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
APART = {"torch"}
"""Installed by the launcher in the version that pyproject.toml pins, from an index of its own."""
BUILT = {"ovs"}
"""Released as sources alone (one file), which run code of theirs when they are installed."""


def entries(text: str) -> list[tuple[Requirement, list[str]]]:
    """Return what a requirements file pins, each with its hashes."""
    found = []
    for block in re.split(r"\n(?=[^\s#])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)):
        whole = block.replace("\\\n", " ")
        lines = [line for line in whole.splitlines() if line.strip() and line.strip()[0] != "#"]
        if lines:
            said, *hashes = re.split(r"\s+--hash=", lines[0])
            found.append((Requirement(said), [it.strip() for it in hashes]))
    return found


def environment(python: str) -> dict[str, str]:
    return {
        **{key: str(value) for key, value in default_environment().items()},
        "python_version": python,
        "python_full_version": f"{python}.9",
    }


def pinned(python: str) -> dict[str, Version]:
    """Return what is installed under a version of Python, by name."""
    return {
        canonicalize_name(it.name): Version(next(iter(it.specifier)).version)
        for it, _ in LOCK
        if it.marker is None or it.marker.evaluate(environment(python))
    }


LOCK = entries((ROOT / "requirements.lock").read_text())
ASKED = entries((ROOT / "requirements.in").read_text())


def test_there_is_a_lock() -> None:
    assert len(LOCK) > len(ASKED) > 20


@pytest.mark.parametrize(("it", "hashes"), LOCK, ids=[str(it) for it, _ in LOCK])
def test_every_pin_is_one_version_with_hashes_from_the_index(
    it: Requirement, hashes: list[str]
) -> None:
    assert it.url is None, "a file from anywhere"
    (exact,) = it.specifier
    assert exact.operator == "=="
    assert "*" not in exact.version
    assert hashes
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), hashes


def test_nothing_else_stands_in_it() -> None:
    """No other index, no option, no editable folder."""
    text = (ROOT / "requirements.lock").read_text()
    words = [line.split()[0] for line in text.splitlines() if line.strip()]
    assert not [it for it in words if it.startswith("-") and not it.startswith("--hash=")]
    assert "://" not in re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)


def test_it_is_known_what_runs_code_when_it_is_installed() -> None:
    assert {it.name for it, hashes in LOCK if len(hashes) == 1} == BUILT


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_holds_what_was_asked_for(python: str) -> None:
    there = pinned(python)
    for it, _ in ASKED:
        if it.marker is None or it.marker.evaluate(environment(python)):
            assert there[canonicalize_name(it.name)] in it.specifier, it


@pytest.mark.skipif(sys.version_info < (3, 11), reason="reads TOML by what came with Python 3.11")
@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_is_within_what_the_package_allows(python: str) -> None:
    toml: Any = import_module("tomllib")
    project = toml.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    there = pinned(python)
    for said in (*project["dependencies"], *extras["dev"], *extras["docs"]):
        it = Requirement(said)
        if it.marker and not it.marker.evaluate(environment(python)):
            continue
        if it.name not in APART:
            assert it.specifier.contains(there[canonicalize_name(it.name)], prereleases=True), it
