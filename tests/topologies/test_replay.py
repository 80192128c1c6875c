"""States of a trace come in their order, not before their time, until the replay is ended."""

from __future__ import annotations

import threading
import time

import pytest

from topologies.emulation.errors import ImpairmentError
from topologies.emulation.replay import Replay
from topologies.linkstate import Duplex, LinkState

MS = 10**6
STATES = [Duplex.both(LinkState(10**9, place)) for place in range(4)]


def test_every_state_comes_in_order_and_not_before_its_time() -> None:
    came: list[tuple[int, Duplex]] = []
    done = threading.Event()

    def put(duplex: Duplex) -> None:
        came.append((time.monotonic_ns(), duplex))
        if duplex is STATES[-1]:
            done.set()

    begin_ns = time.monotonic_ns() + 20 * MS
    trace = [(place * 10 * MS, duplex) for place, duplex in enumerate(STATES)]
    replay = Replay(put, trace, begin_ns)
    assert done.wait(5)
    replay.end()
    assert [duplex for _, duplex in came] == STATES
    for (moment_ns, _), (offset_ns, _) in zip(came, trace, strict=True):
        assert moment_ns >= begin_ns + offset_ns


def test_it_can_be_ended_while_it_waits() -> None:
    came: list[Duplex] = []
    first = threading.Event()

    def put(duplex: Duplex) -> None:
        came.append(duplex)
        first.set()

    replay = Replay(put, [(0, STATES[0]), (3600 * 10**9, STATES[1])], time.monotonic_ns())
    assert first.wait(5)
    replay.end()
    assert came == STATES[:1]


def test_what_failed_is_raised_when_it_is_asked_about() -> None:
    failed = threading.Event()

    def put(duplex: Duplex) -> None:
        failed.set()
        raise ImpairmentError("not in force")

    replay = Replay(put, [(0, STATES[0])], time.monotonic_ns())
    assert failed.wait(5)
    with pytest.raises(ImpairmentError, match="not in force"):
        replay.end()
