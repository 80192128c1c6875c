"""What flows tell of a span: delays, order, rate, and what chance may do."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest

from tests.conformance.cases import FAT_FRAME, NARROW, THIN_FRAME
from topologies.linkstate import LinkState

SWITCHES_NS = 1_500_000
"""What the switches and four processes waking up may add to one way."""
UNDISTURBED = 0.2
"""Share of a flow's frames, the quickest, that a machine busy with other things did not hold up."""
STEADY = 10
"""Frames at the start of a flow, which wake everybody up."""


def flows(found: Any, name: str) -> list[Any]:
    """Return what was seen of each flow of a case; skips what the back end refuses."""
    case = found["cases"].get(name, {"refused": "not in the brief suite"})
    if "refused" in case:
        pytest.skip(case["refused"])
    return case["flows"]  # type: ignore[no-any-return]


def delays_ns(flow: Any) -> dict[int, int]:
    """Return the delay of every frame by its number; of the first, where it came twice."""
    sent = {number: stamp for number, stamp, _ in flow["sent"]}
    delays: dict[int, int] = {}
    for number, stamp, _ in flow["seen"]:
        delays.setdefault(number, stamp - sent[number])
    return delays


def arrivals(flow: Any) -> list[int]:
    """Return the numbers of the frames in the order in which they came."""
    return [number for number, _, _ in flow["seen"]]


def binomial(count: int, share: float, clustering: float = 1.0) -> Any:
    """Return how many of so many frames chance may pick: the mean, give or take 4 sigma."""
    sigma = math.sqrt(count * share * (1 - share) * clustering)
    return pytest.approx(count * share, abs=4 * sigma + 1)


def rate_bps(flow: Any, frame_bytes: int) -> float:
    """Return the rate at which a flow's frames came.

    The median of many slopes, each over a sixth of the flow: a moment in which nothing ran moves
    few of them, and those over half of it would all have been moved by one in the middle.
    """
    steady = [(number, stamp) for number, stamp, _ in flow["seen"] if number >= STEADY]
    apart = len(steady) // 6
    frame_ns: float = statistics.median(
        (later_stamp - stamp) / (later - number)  # lost ones took their time on the wire
        for (number, stamp), (later, later_stamp) in zip(steady, steady[apart:], strict=False)
    )
    return frame_bytes * 8e9 / frame_ns


def assert_delay(flow: Any, state: LinkState) -> None:
    """Hold frames that found the queue empty to the delay, and none to less."""
    intended = state.delay_ns + THIN_FRAME * 8e9 / state.rate_bps
    delays = sorted(delays_ns(flow).values())
    assert delays[0] >= intended - 1000, "no frame is ever early"
    assert delays[int(UNDISTURBED * len(delays))] <= intended + SWITCHES_NS


def drained(flow: Any) -> int:
    """Return how many fat frames a narrow span sent while the flow came in."""
    stamps: list[int] = [stamp for _, stamp, _ in flow["sent"]]
    return math.ceil((max(stamps) - min(stamps)) * NARROW["rate_bps"] / (FAT_FRAME * 8e9))
