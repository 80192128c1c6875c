"""What README.md and docs name exists: commands, options, scenarios, files, links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from experiments.cli import app
from experiments.site.commandlist import commands

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = dict(commands(get_command(app)))
_COMMAND = re.compile(r"(?:\./|\bsudo )spanlab ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?([^`\n]*)")
_LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")
_SCENARIO = re.compile(r"experiments/scenarios/[\w./-]+\.yaml")
_SOURCE = re.compile(r"`((?:topologies|controller|workloads|experiments|tests)/[\w./-]+\.\w+)`")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub and the site make it."""
    words = re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading)
    return re.sub(r"[^\w\- ]", "", words.lower()).strip().replace(" ", "-")


def anchors(path: Path) -> set[str]:
    text = _FENCED.sub("", path.read_text())
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_command_exists_with_its_options(path: Path) -> None:
    for first, second, rest in _COMMAND.findall(path.read_text()):
        name = f"{first} {second}" if f"{first} {second}" in COMMANDS else first
        assert name in COMMANDS or any(it.startswith(f"{first} ") for it in COMMANDS), first
        if name not in COMMANDS or name == "test":
            continue
        known = {flag for it in COMMANDS[name].params for flag in (*it.opts, *it.secondary_opts)}
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest.partition("|")[0]):
            assert flag in known, f"spanlab {name} has no {flag}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_scenario_and_source_file_exists(path: Path) -> None:
    text = path.read_text()
    own = set(re.findall(r"Save this as\s+`([^`]+)`", text))  # for the reader to write
    for place in {*_SCENARIO.findall(text), *_SOURCE.findall(text)} - own:
        assert (ROOT / place).exists(), place


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_relative_link_resolves(path: Path) -> None:
    for target in _LINK.findall(_FENCED.sub("", path.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        file = path if not place else (path.parent / place).resolve()
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


def test_readme_shows_what_the_bundled_scenario_holds() -> None:
    """The README's scenario is the demo's, so that what it says can be tried."""
    readme = (ROOT / "README.md").read_text()
    demo = (ROOT / "experiments" / "scenarios" / "three-campuses.yaml").read_text()
    for line in demo.splitlines():
        if line.strip().startswith(("north-south:", "south-east:", "north-east:", "- {at:")):
            assert " ".join(line.split()) in " ".join(readme.split()), line


def test_the_whole_scenario_of_the_quick_start_is_valid(tmp_path: Path) -> None:
    from experiments.loading import load_twin

    text = (ROOT / "docs" / "quick-start.md").read_text()
    (scenario,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    file = tmp_path / "two-campuses.yaml"
    file.write_text(scenario)
    assert load_twin(file)[0].name == file.stem
