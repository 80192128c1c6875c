"""What it takes to do a run again: command, scenario, versions and machine. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPEATABLE = ("run", "demo", "plan")
"""Commands that do a run again, given again as they were."""


@dataclass(frozen=True)
class Repeating:
    """How to do a run again.

    Attributes:
        command: to type.
        environment: in which it ran, piece by piece.
        scenario: as YAML, whatever has become of its file.
    """

    command: str
    environment: tuple[str, ...]
    scenario: str


def repeating(manifest: Mapping[str, Any]) -> Repeating:
    """Return how to do the run of a manifest again."""
    return Repeating(command_of(manifest), environment_of(manifest), as_yaml(manifest["scenario"]))


def command_of(manifest: Mapping[str, Any]) -> str:
    """Return the command that made a run, without where it wrote; else one that runs the same."""
    words = [str(word) for word in manifest["command"][1:]]
    if Path(manifest["command"][0]).parent.name != "experiments" or words[:1] not in (
        [name] for name in REPEATABLE
    ):
        words = ["run", manifest["source"]]
    if "--out" in words:
        at = words.index("--out")
        words = words[:at] + words[at + 2 :]
    return shlex.join(["./spanlab", *words])


def environment_of(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return seed, machine and versions, each as a few words."""
    machine = manifest["capabilities"]
    found = [
        f"seed {manifest['seed']}",
        f"kernel {machine['kernel']}",
        f"{machine['cpus']} cores",
        f"{machine['memory_bytes'] / 2**30:.3g} GiB of memory",
    ]
    found += [f"{name} {version}" for name, version in manifest["versions"].items() if version]
    if manifest["git"]:
        found.append(f"commit {manifest['git']}")
    return tuple(found)


def shared(environments: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what all environments have in common, and what only some of them have."""
    everything = list(dict.fromkeys(piece for each in environments for piece in each))
    common = [piece for piece in everything if all(piece in each for each in environments)]
    return tuple(common), tuple(piece for piece in everything if piece not in common)


def as_yaml(data: Any) -> str:
    """Return plain data as YAML that people read."""
    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)
    return text
