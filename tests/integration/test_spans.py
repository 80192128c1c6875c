"""A span does to real packets what its state says, measured from outside."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.integration.flow import HEADERS
from tests.integration.runs import ENVIRONMENT
from tests.integration.span_lab import FAT, MANY, STATES

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_ovs, pytest.mark.slow]

SWITCHES_NS = 1_000_000
"""What the switches, four processes waking up and two busy cores may add to one way."""
HEAD = 10
"""Frames at the start of a flow, which wake everybody up."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    script = Path(__file__).with_name("span_lab.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path_factory.mktemp("logs"))],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", STATES)
def test_delay(found: Any, name: str) -> None:
    state = STATES[name]
    wire_ns = (100 + HEADERS) * 8e9 / state.rate_bps
    delays = sorted(
        seen - sent for sequence, sent, seen in found["states"][name]["thin"] if sequence >= HEAD
    )
    intended = state.delay_ns + wire_ns
    assert delays[0] >= intended, "no frame is ever early"
    assert delays[len(delays) // 2] <= intended + SWITCHES_NS


@pytest.mark.parametrize("name", STATES)
def test_rate(found: Any, name: str) -> None:
    state, fat = STATES[name], found["states"][name]["fat"]
    steady = [(sequence, seen) for sequence, _, seen in fat if sequence >= HEAD]
    # The median of many slopes: a moment in which the receiver did not run moves few of them.
    half = len(steady) // 2
    frame_ns = statistics.median(
        (seen_then - seen) / (then - sequence)  # lost ones took their time on the wire
        for (sequence, seen), (then, seen_then) in zip(steady, steady[half:], strict=False)
    )
    assert (1000 + HEADERS) * 8e9 / frame_ns == pytest.approx(state.rate_bps, rel=0.05)


@pytest.mark.parametrize("name", STATES)
def test_loss(found: Any, name: str) -> None:
    state, seen = STATES[name], found["states"][name]
    for flow, count in (("many", MANY), ("fat", FAT)):
        lost = count - len(seen[flow])
        sigma = math.sqrt(count * state.loss * (1 - state.loss))
        assert abs(lost - count * state.loss) <= 4 * sigma, flow
    assert seen["drops"] == [0, 0]


@pytest.mark.parametrize("name", STATES)
def test_order(found: Any, name: str) -> None:
    for flow in ("thin", "fat", "many"):
        sequences = [sequence for sequence, _, _ in found["states"][name][flow]]
        assert sequences == sorted(set(sequences))


def test_a_live_change_loses_and_reorders_nothing(found: Any) -> None:
    assert [sequence for sequence, _, _ in found["live"]["seen"]] == list(range(2000))


def test_a_live_change_never_passes_through_an_unimpaired_instant(found: Any) -> None:
    live = found["live"]
    delays = [live["first"], *live["delays"]]
    begins = [begin for begin, _ in live["moments"]]
    ends = [end for _, end in live["moments"]]
    for _, sent, seen in live["seen"]:
        # Between the begin and the end of a change either state may hold, but no third one; a frame
        # that was sent before a change may enter the span after it.
        first = sum(end <= sent for end in ends)
        last = sum(begin <= seen for begin in begins)
        assert seen - sent >= min(delays[first : last + 1])


def test_every_state_of_a_live_change_was_in_force(found: Any) -> None:
    live = found["live"]
    bounds = [end for _, end in live["moments"]] + [2**63]
    for (begin, end), delay in zip(pairwise(bounds), live["delays"], strict=True):
        own = [seen - sent for _, sent, seen in live["seen"] if begin < sent and seen < end]
        if own:
            assert delay <= min(own) <= delay + SWITCHES_NS + 8e9 * 700 / 9e6


def test_a_span_that_is_down_carries_nothing_until_it_is_up_again(found: Any) -> None:
    down = found["down"]
    assert (down["working"], down["down"], down["back"]) == (50, 0, 50)


def test_nothing_was_dropped_where_nothing_is_modelled(found: Any) -> None:
    assert found["unmodelled"] == {}


def test_the_products_own_measurement_agrees(found: Any) -> None:
    assert {check["name"] for check in found["checks"]} >= {"round trip", "rate", "loss"}
    assert [check for check in found["checks"] if not check["ok"]] == []
