"""Which upgrades fit a span as it now is. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from experiments.scenario import Scenario
from topologies.errors import NetworkError
from topologies.spans import span_plants, upgraded
from topologies.units import parse


@dataclass
class Alterations:
    """What was done to each span's plant so far: upgrades by name, years of age in ns."""

    scenario: Scenario
    done: dict[str, list[str | int]] = field(default_factory=dict)
    _years: dict[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Learn from the scenario by how much spans are to age, which events do not say."""
        for event in self.scenario.timeline:
            if event.age and event.by:
                self._years[event.age, event.at] = event.by

    def wished(self, event: Mapping[str, Any], step: int) -> None:
        """Learn of a wish that came onto the timeline."""
        if isinstance(event.get("age"), str) and "by" in event:
            self._years[event["age"], step] = parse(event["by"], "duration")

    def happened(self, kind: str, span: str, step: int, upgrade: str | None) -> bool:
        """Take note of an event; say whether it altered the span's plant."""
        change = upgrade if kind == "upgrade" else self._years.get((span, step))
        if kind not in ("upgrade", "age") or change is None:
            return False
        self.done.setdefault(span, []).append(change)
        return True

    def fitting(self, span: str) -> list[tuple[str, str]]:
        """Return the name and the summary of each upgrade that the span could have now."""
        return fitting(self.scenario, span, self.done.get(span, ()))


def fitting(
    scenario: Scenario, span: str, changes: Sequence[str | int] = ()
) -> list[tuple[str, str]]:
    """Return name and summary of the upgrades that work on a span after some changes."""
    spec, known, mtu = scenario.network.spans[span], scenario.known, scenario.network.mtu
    found = []
    try:
        plant = span_plants(spec, changes, known)[-1]
    except NetworkError:
        return []
    for name, upgrade in known.upgrades.items():
        if not upgrade.live:
            continue
        try:
            upgraded(plant, name, span, scenario.seed, mtu, known)
        except NetworkError:
            continue
        found.append((name, upgrade.summary))
    return found
