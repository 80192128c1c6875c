"""What wishes make of a scenario: its timeline as it happens, checked as a file is. Pure.

A scenario is made anew from its own words with each wish in its place, so that the models that
check files check wishes, too, and the session can be saved as a file that does the same again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import yaml

from experiments.legs import planned
from experiments.movecheck import moves_of
from experiments.scenario import Scenario
from experiments.timeline import HALTS
from experiments.twin import Twin, twin_of
from topologies.files import FileError, as_model
from topologies.units import exact
from workloads import strategies

MS = 10**6

Event = Mapping[str, Any]
"""An event of the timeline in a file's words, without its moment."""


def words_of(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as a file would state it: what was stated, and the scales."""
    words: dict[str, Any] = scenario.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return words


def session_yaml(scenario: Scenario) -> str:
    """Return the file that makes this scenario."""
    return yaml.dump(
        words_of(scenario), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100
    )


def is_halt(event: Event) -> bool:
    """Return whether all ranks stop for an event."""
    return any(kind in event for kind in HALTS)


def with_event(scenario: Scenario, event: Event, step: int) -> Scenario:
    """Return a scenario with an event before a step, after those that it has there already.

    Raises FileError as a file with that event would, and where it would change what has happened.
    """
    if "at" in event:
        raise FileError('at: a wish says no moment: it comes true before the next step; omit "at"')
    words = words_of(scenario)
    timeline = words.setdefault("timeline", [])
    place = sum(earlier.at <= step for earlier in scenario.timeline)
    _refuse_past(scenario, event, step, place)
    timeline.insert(place, {"at": f"step {step}", **event})
    return _made(words)


def with_pause(scenario: Scenario, number: int, lasted_ns: int) -> Scenario:
    """Return a scenario whose pause of that number, from 0, lasted so long, in real ns."""
    words = words_of(scenario)
    pauses = [event for event in words["timeline"] if "pause" in event]
    pauses[number]["pause"] = exact(lasted_ns, "duration")
    return _made(words)


def open_failure(scenario: Scenario, target: str, step: int) -> int | None:
    """Return the number of the event, from 0, since which a target is down before a step.

    None where it is up, or failed for a stated time.
    """
    found = None
    for number, event in enumerate(scenario.timeline):
        if event.at <= step and event.target == target and event.kind in ("fail", "restore"):
            found = number if event.kind == "fail" and event.for_ is None else None
    return found


def with_failure_of(scenario: Scenario, number: int, lasted_ns: int) -> Scenario:
    """Return a scenario whose failure, that event of the timeline, lasted so long, in real ns."""
    words = words_of(scenario)
    words["timeline"][number]["for"] = exact(max(lasted_ns, MS), "duration")
    return _made(words)


def ended(scenario: Scenario, step: int) -> Scenario:
    """Return a scenario that ends before a step, without what was to come from then on.

    Raises FileError where nothing could be measured so early.
    """
    for it in scenario.strategies:
        if it.step < step and (why := strategies.declaration(it.strategy.name).hurries):
            raise FileError(f"{it.strategy.name} cannot end before its last step: {why}")
    words = words_of(scenario)
    words["workload"]["steps"] = step
    count = sum(event.at < step for event in scenario.timeline)
    words["timeline"] = words.get("timeline", [])[:count]
    return _made(words)


def twin_like(scenario: Scenario, before: Twin) -> Twin:
    """Return a scenario's twin, whose scales were chosen as those of the twin before were."""
    return replace(twin_of(scenario), because=before.because, carrying=before.carrying)


def real_ns(emulated_ns: int, time: Fraction) -> int:
    """Return a time of the real system, in whole ms."""
    return round(emulated_ns / time / MS) * MS


def _made(words: dict[str, Any]) -> Scenario:
    """Return the scenario of some words; raises FileError without a file's name."""
    try:
        return as_model(words, Scenario, "")
    except FileError as error:
        lines = str(error).splitlines()
        raise FileError("\n".join(line.removeprefix(": ") for line in lines)) from None


def _refuse_past(scenario: Scenario, event: Event, step: int, place: int) -> None:
    """Raise FileError for who joins though there already: a file means absent until then."""
    moves = moves_of(scenario.timeline)
    there = {scenario.sites[rank] for rank in planned(scenario.sites, moves, step - 1)}
    if isinstance(event.get("join"), str) and event["join"] in there:
        raise FileError(f"timeline.{place}.join: {event['join']} takes part already")


class _Plain(yaml.SafeDumper):
    """Writes what stands in several places several times: scenario files know no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
