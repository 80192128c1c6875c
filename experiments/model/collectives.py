"""gloo's collectives in time: rings over unequal edges, buckets in a pipeline. Vectorised.

Arrays are of shape (sets, ...): one row for each state of the network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SEGMENT_BYTES = 2**20
"""The most that gloo moves at once (gloo/allreduce.h, kMaxSegmentSize)."""
IN_FLIGHT = 2
"""Collectives that a process group works on at once: ProcessGroupGloo::Options::threads."""
CONTENTION = 2.0
"""Two collectives at once neither hide each other's latency nor wait for all of it: their times
add as a norm of this order. Between 1 (they wait) and infinity (they hide); anchored by two and
four parallel groups over one gigabit (grade: measured, within 10 %)."""


@dataclass(frozen=True)
class Edges:
    """The distinct edges of a ring, each in several states: arrays of shape (sets, edges).

    Attributes:
        rate_bps: of data.
        rtt_s: round trip without queues.
        loss: share of full frames lost on the way there.
        flows: how many flows share the narrowest link on the way.
        room_bytes: what that link and its queue hold.
    """

    rate_bps: Any
    rtt_s: Any
    loss: Any
    flows: Any
    room_bytes: Any


def segments(size: float, ranks: int) -> int:
    """Return how many segments gloo cuts a buffer into: twice the ranks at least, a multiple."""
    wanted = max(math.ceil(size / SEGMENT_BYTES), 2 * ranks)
    return -(-wanted // ranks) * ranks


def rounds(size: float, ranks: int) -> float:
    """Return the serial round trips of a ring all-reduce.

    A receiver asks for a segment before it is sent, and asks for two at a time; reduce-scatter and
    all-gather take segments x (n - 1) / n each (gloo/allreduce.cc, transport/tcp/pair.cc).
    """
    return segments(size, ranks) * (ranks - 1) / ranks


def ring_s(size: float, ranks: int, edges: Edges, waited_s: Any) -> tuple[Any, Any]:
    """Return ``(chain, busy)``: a ring all-reduce lasts as long as the larger of them.

    ``busy`` is the time for which its slowest edge is sending; ``chain`` that of segments and
    requests one after the other, given what each round waits, of shape (sets, edges). With two
    ranks both segments and the request for the next pair follow each other on one connection; with
    more the request goes the other way, so that half of the sending is hidden.
    """
    if ranks < 2:
        zero = np.zeros(len(edges.rate_bps))
        return zero, zero
    moved = 2 * (ranks - 1) / ranks * size
    busy = 8 * moved / edges.rate_bps
    waiting = rounds(size, ranks) * waited_s
    chain = waiting + (busy if ranks == 2 else busy / 2)
    return chain.max(axis=1), busy.max(axis=1)


def pipeline_s(
    ready: Sequence[float],
    gather: Sequence[Any],
    chain: Sequence[Any],
    busy: Sequence[Any],
    spread: Sequence[Any],
) -> Any:
    """Return when the last bucket is averaged, given when each is ready and its stages' times.

    Gathering and spreading inside a campus take one bucket at a time, crossing takes two: those
    share the link and partly hide each other's round trips.
    """
    shape = np.shape(busy[0])
    gathered, link, spread_end = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    crossed = [np.zeros(shape)] * IN_FLIGHT
    for at_s, gather_s, chain_s, busy_s, spread_s in zip(
        ready, gather, chain, busy, spread, strict=True
    ):
        gathered = np.maximum(gathered, at_s) + gather_s
        begin = np.maximum(gathered, crossed[-IN_FLIGHT])
        both = (chain_s**CONTENTION + (IN_FLIGHT * busy_s) ** CONTENTION) ** (1 / CONTENTION)
        link = np.maximum(link, begin) + both / IN_FLIGHT
        crossed = [crossed[-1], np.maximum(begin + np.maximum(chain_s, busy_s), link)]
        spread_end = np.maximum(spread_end, crossed[-1]) + spread_s
    return spread_end
