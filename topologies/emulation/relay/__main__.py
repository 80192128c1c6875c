"""The relay process of one span: moves frames between two TAP devices when they are due.

Started by `impairer.RelayImpairer` with two TAP descriptors and a control socket, over which it
takes one JSON request per line and answers each with one line. It exits when that socket closes.
"""

from __future__ import annotations

import gc
import json
import os
import select
import sys
from collections import deque
from dataclasses import asdict
from random import Random
from time import monotonic_ns
from typing import Any

from topologies.emulation.priority import RELAY, take
from topologies.emulation.relay.queue import Line
from topologies.linkstate import LinkState

BATCH = 64
"""Frames read from one device before the other gets its turn."""
MAX_FRAME = 1 << 16


class Direction:
    """Frames on their way from one device to another."""

    def __init__(self, source: int, sink: int, line: Line) -> None:
        self.source, self.sink, self.line = source, sink, line
        self.under_way: deque[tuple[int, bytes]] = deque()

    def receive(self) -> None:
        """Read up to `BATCH` frames and admit them."""
        for _ in range(BATCH):
            try:
                frame = os.read(self.source, MAX_FRAME)
            except BlockingIOError:
                return
            due_ns = self.line.admit(len(frame), monotonic_ns())
            if due_ns is not None:
                self.under_way.append((due_ns, frame))

    def deliver(self) -> None:
        """Hand on every frame that is due."""
        under_way, counters = self.under_way, self.line.counters
        while under_way and (late_ns := monotonic_ns() - under_way[0][0]) >= 0:
            _, frame = under_way.popleft()
            try:
                os.write(self.sink, frame)
            except OSError:
                counters.errors += 1
                continue
            counters.delivered += 1
            counters.delivered_bytes += len(frame)
            counters.record_lateness(late_ns)


def relay(directions: tuple[Direction, Direction], control: int) -> None:
    """Run until the control socket closes."""
    sources = {direction.source: direction for direction in directions}
    pending = b""
    while True:
        dues = [direction.under_way[0][0] for direction in directions if direction.under_way]
        wait_s = max(0, min(dues) - monotonic_ns()) / 1e9 if dues else None
        # select and not epoll: epoll rounds its timeout up to a millisecond.
        ready, _, _ = select.select([control, *sources], [], [], wait_s)
        for direction in directions:
            direction.deliver()
        for source in ready:
            if source in sources:
                sources[source].receive()
        if control in ready:
            data = os.read(control, MAX_FRAME)
            if not data:
                return
            *requests, pending = (pending + data).split(b"\n")
            for request in requests:
                answer = json.dumps(answer_to(json.loads(request), directions)) + "\n"
                os.write(control, answer.encode())


def answer_to(request: dict[str, Any], directions: tuple[Direction, Direction]) -> Any:
    """Carry a request out: new link states, if it has any; answer with what is in force."""
    for direction, state in zip(directions, request.get("apply", ()), strict=False):
        direction.line.state = LinkState(**state)
    return {
        "states": [asdict(direction.line.state) for direction in directions],
        "counters": [asdict(direction.line.counters) for direction in directions],
        "realtime": os.sched_getscheduler(0) == os.SCHED_FIFO,
    }


def main() -> None:
    """Read the job from the command line: two TAP descriptors, the control descriptor, a seed."""
    first, second, control = (int(argument) for argument in sys.argv[1:4])
    seed = sys.argv[4]
    take(RELAY)
    for descriptor in (first, second):
        os.set_blocking(descriptor, False)
    down = LinkState(rate_bps=1, delay_ns=0, up=False)
    forward = Direction(first, second, Line(down, Random(f"{seed}>")))
    backward = Direction(second, first, Line(down, Random(f"{seed}<")))
    gc.disable()  # no cycles are made, and a collection would make frames late
    relay((forward, backward), control)


if __name__ == "__main__":
    main()
