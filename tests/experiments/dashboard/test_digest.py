"""Wishes, outages and upgrades, as the page hears of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.dashboard.digest import Digest, Item
from experiments.dashboard.facts import Facts, facts_of

SECOND = 10**9


@pytest.fixture
def facts(recorded: Path) -> Facts:
    return facts_of(json.loads((recorded / "manifest.json").read_text()), "manifest.json")


@pytest.fixture
def states(recorded: Path) -> dict[str, Any]:
    events = map(json.loads, (recorded / "events.jsonl").read_text().splitlines())
    return {event["target"]: event["state"] for event in events if event["kind"] == "age"}


def take(digest: Digest, kind: str, at_s: float, /, **line: Any) -> list[Item]:
    if kind == "events":
        line |= {"t_s": at_s, "at_ns": round(at_s * SECOND)}
    digest.take(kind, line, at_s)
    return digest.items()


def of(items: list[Item], kind: str) -> list[list[Any]]:
    return [item[2:] for item in items if item[0] == kind]


def test_a_wish_is_pending_until_it_is_answered(facts: Facts) -> None:
    digest, event = Digest(facts), {"upgrade": "north-south", "with": "coherent-400g"}
    asked = take(digest, "wishes", 1.0, id="a", event=event)
    assert of(asked, "wish") == [["a", "pending", "upgrade: north-south, with: coherent-400g", ""]]
    granted = take(digest, "events", 2.0, kind="wish", id="a", at="step 31", event=event)
    assert of(granted, "wish")[0][1::2] == ["accepted", "step 31"]
    refused = take(digest, "events", 3.0, kind="wish refused", id="b", reason="no such span")
    assert of(refused, "wish") == [["b", "refused", "", "no such span"]]


def test_a_wish_that_was_answered_before_it_is_read_is_not_pending(facts: Facts) -> None:
    digest = Digest(facts)
    take(digest, "events", 2.0, kind="wish", id="a", at="step 31", event={"policy": "ecmp"})
    assert not take(digest, "wishes", 2.0, id="a", event={"policy": "ecmp"})


def test_upgrades_that_fit_follow_from_what_was_done(facts: Facts) -> None:
    digest, span = Digest(facts), "north-south"
    done = take(digest, "events", 2.0, kind="upgrade", step=18, target=span, upgrade="enable-fec")
    ((index, fitting),) = of(done, "upgrades")
    assert facts.spans[index] == span
    names = [name for name, _ in fitting]
    assert "enable-fec" not in names and "coherent-400g" in names


def test_a_wished_age_counts_for_what_fits_later(facts: Facts) -> None:
    digest, span = Digest(facts), "north-south"
    wish = {"age": span, "by": "5 years"}
    take(digest, "events", 1.0, kind="wish", id="a", at="step 20", event=wish)
    first = take(digest, "events", 1.5, kind="policy", step=12, target="ecmp", upgrade=None)
    assert of(first, "phase") == [["routing by ecmp"]] and of(first, "routing") == [["ecmp"]]
    older = take(digest, "events", 2.0, kind="age", step=20, target=span, upgrade=None)
    assert of(older, "event") == [[20, "north-south older"]]
    assert of(older, "upgrades")


def test_outages_that_a_span_goes_through_by_itself_come_in_their_time(
    facts: Facts, states: dict[str, Any]
) -> None:
    digest, span = Digest(facts), "south-east"
    changes = [{"after_s": 0.0, "up": True}, {"after_s": 1.0, "up": False}]
    changes.append({"after_s": 3.0, "up": True})
    take(digest, "events", 10.0, kind="replay", span=span, changes=changes)
    begun = take(
        digest, "events", 10.1, kind="fail", step=20, target=span, upgrade=None, state=states[span]
    )
    assert of(begun, "up") == [[1, True]]
    later = take(digest, "live", 12.0, kind="stage", text="training")
    assert of(later, "up") == [[1, False]]
    # Another state, set later, ends what was to come.
    take(
        digest, "events", 12.5, kind="restore", step=21, target=span, upgrade=None,
        state=states[span],
    )  # fmt: skip
    assert not of(take(digest, "live", 20.0, kind="stage", text="training"), "up")


def test_all_spans_age_at_once_and_are_one_phase(facts: Facts, states: dict[str, Any]) -> None:
    digest, items = Digest(facts), []
    for span in facts.spans:
        items += take(
            digest, "events", 5.0, kind="age", step=10, target=span, upgrade=None,
            state=states[span],
        )  # fmt: skip
    assert [name for (name,) in of(items, "phase")] == ["aged"] * 3
    assert len(of(items, "event")) == 1
    ((first, _),) = [of(items, "state")[0]]
    assert first == 0


def test_a_run_that_listens_tells_its_own_steps(facts: Facts) -> None:
    digest = Digest(replace(facts, manifest={**facts.manifest, "live": True}))
    told = take(
        digest, "live", 4.0, kind="step", step=12, phase="aged", step_ms=812.5, coherence=0.4321
    )
    assert of(told, "step") == [[12, "aged", 812.5, 0.4321]]
    verdict = take(digest, "live", 5.0, kind="verdict", verdict="degraded", reasons=["late"])
    assert of(verdict, "verdict") == [["degraded", ["late"]]]


def test_another_strategy_has_a_reference_of_its_own(facts: Facts, states: dict[str, Any]) -> None:
    digest, items = Digest(facts), []
    for span in facts.spans:
        items += take(
            digest, "events", 5.0, kind="reference", step=20, target=span, upgrade=None,
            state=states[span],
        )  # fmt: skip
    items += take(digest, "events", 5.0, kind="strategy", step=20, target="local-sgd", upgrade=None)
    for span in facts.spans:
        items += take(
            digest, "events", 9.0, kind="back", step=30, target=span, upgrade=None,
            state=states[span],
        )  # fmt: skip
    names = [name for (name,) in of(items, "phase")]
    assert names[3] == "reference of local-sgd" and names[-1] == "training by local-sgd"
    assert of(items, "strategy") == [["local-sgd"]]
    assert len(of(items, "event")) == 1


def test_a_pause_is_told_and_begins_no_phase(facts: Facts) -> None:
    digest = Digest(facts)
    paused = take(digest, "events", 5.0, kind="pause", step=20, target="all ranks", upgrade=None)
    assert of(paused, "paused") == [[True]] and not of(paused, "phase")
    resumed = take(digest, "events", 9.0, kind="resume", step=20, lasted="4 s")
    assert of(resumed, "paused") == [[False]]
