"""The house rules that a reader relies on, held by parsing the sources."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("topologies", "controller", "workloads", "experiments")
MAY_IMPORT = {
    "topologies": {"topologies"},
    "controller": {"controller", "topologies"},
    "workloads": {"workloads"},
    "experiments": set(PACKAGES),
}
MAY_EMULATE = {
    f"experiments.{name}"
    for name in (
        "runner",
        "bench",
        "placement",
        "outcome",
        "carrymeasure",
        "network",
        "containers",
        "attach",
        "tracepath",
        "up",
        "session",
        "probing",
        "fidelity",
        "links",
        "flows",
        "arrivals",
        "manifest",
        "doctor",
        "cli",
        "sweep.attempt",
        "sweep.child",
        "clocks",
        "processors",
        "processstate",
        "watch",
        "watchchecks",
        "vitals",
        "limits",
    )
}
MAX_LINES = 400
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}
PRIVATE = ("/wo" + "rk/", "../sha" + "red")
"""Paths of the machine this was written on; spelt so that this file does not hold them."""

SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of everything a module imports, wherever in it."""
    package = module_name(path).split(".")[: None if path.name == "__init__.py" else -1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def test_the_sources_are_found() -> None:
    assert {module_name(path).split(".")[0] for path in SOURCES} == set(PACKAGES)
    assert "experiments.runner" in map(module_name, SOURCES)


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_packages_import_in_one_direction(path: Path) -> None:
    package = module_name(path).split(".")[0]
    forbidden = set(PACKAGES) - MAY_IMPORT[package] | {"tests"}
    found = {name for name in imports(path) if name.split(".")[0] in forbidden}
    assert not found, f"{package} must not import {', '.join(sorted(found))}"


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_only_a_few_modules_touch_the_machine(path: Path) -> None:
    name = module_name(path)
    if within(name, "topologies.emulation") or name in MAY_EMULATE:
        return
    found = {name for name in imports(path) if within(name, "topologies.emulation")}
    assert not found, f"{name} must not import {', '.join(sorted(found))}"


def test_the_list_of_those_modules_is_not_stale() -> None:
    assert set(map(module_name, SOURCES)) >= MAY_EMULATE


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_modules_are_short_and_say_what_they_hold(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= MAX_LINES, f"{lines} lines; split it at its second idea"
    assert not VAGUE & set(module_name(path).split(".")), "a newcomer cannot guess what is inside"


def tracked_files() -> list[Path]:
    """Return the files of the checkout, new ones included; none outside a checkout."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return [path for line in done.stdout.splitlines() if (path := ROOT / line).is_file()]


def test_no_tracked_file_names_a_place_on_one_machine() -> None:
    files = tracked_files()
    if not files:
        pytest.skip("not in a git checkout")
    found = []
    for path in files:
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, start=1):
            if any(place in line for place in PRIVATE):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not found, "\n".join(found)
