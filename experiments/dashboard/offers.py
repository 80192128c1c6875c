"""The scenarios that a dashboard offers to start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.scenario import load_scenario

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
FIRST = "classroom"


@dataclass(frozen=True)
class Offer:
    """A scenario file by the name under which the page asks for it."""

    name: str
    file: Path

    def told(self) -> dict[str, Any]:
        """Return what the page says of it; raises FileError for a file that is wrong."""
        scenario = load_scenario(self.file)
        network = scenario.network
        return {
            "name": self.name,
            "about": _about(self.file),
            "campuses": len(network.campuses),
            "spans": len(network.spans),
            "workers": len(network.workers),
            "steps": scenario.workload.steps,
            "strategy": scenario.workload.strategy.name,
        }


def bundled() -> list[Offer]:
    """Return those that spanlab brings, the one for a class first."""
    offers = [Offer(file.stem, file) for file in sorted(SCENARIOS.glob("*.yaml"))]
    return sorted(offers, key=lambda offer: offer.name != FIRST)


def only(file: Path) -> Sequence[Offer]:
    """Return the one that a user named."""
    return [Offer(file.stem, file)]


def _about(file: Path) -> str:
    """Return the first paragraph of the comment at the head of a scenario file."""
    words = []
    for line in file.read_text().splitlines():
        if not line.startswith("#") or line == "#":
            break
        words.append(line.removeprefix("#").strip())
    return " ".join(words)
