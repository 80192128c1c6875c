"""The application in this process: its event thread, and switches that obey at once."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

from controller.app import Application
from controller.rollout import Batch
from tests.controller.slow_switches import Reply, SlowSwitch

TICK_S = 0.02


class Switch:
    """A connection of a switch to an application, as `controller.app.Switch` has it."""

    def __init__(self, table: SlowSwitch, do: Callable[[Callable[[], None]], None]) -> None:
        self.dpid, self.table = table.dpid, table
        self._do = do
        self._random = Random(0)
        self.application: Application | None = None

    def send(self, batch: Batch) -> None:
        self.table.tell(batch, self._random)
        while not self.table.idle:
            done = self.table.work(self._random)
            if isinstance(done, Reply):
                self._do(lambda done=done: self._answer(done))  # type: ignore[misc]

    def _answer(self, reply: Reply) -> None:
        assert self.application
        if reply.refused:
            self.application.refused(self, reply.xid, "full")
        else:
            self.application.confirmed(self, reply.xid, time.monotonic())

    def send_packet(self, port: int, frame: bytes) -> None:
        """Lose it: nothing is plugged in."""

    def count(self) -> None:
        """Say nothing."""


@contextmanager
def running(application: Application) -> Iterator[dict[str, Switch]]:
    """Connect every switch and let events happen on one thread; yield the switches by name."""
    events: queue.Queue[Callable[[], None] | None] = queue.Queue()
    switches = {
        name: Switch(SlowSwitch(dpid), events.put)
        for name, dpid in application.wiring.dpids.items()
    }
    application.wake = lambda: events.put(lambda: application.asked(time.monotonic()))
    for switch in switches.values():
        switch.application = application
        events.put(
            lambda switch=switch: application.connected(  # type: ignore[misc]
                switch, [*switch.table.held.values()], {}, time.monotonic()
            )
        )

    def run() -> None:
        while True:
            try:
                event = events.get(timeout=TICK_S)
            except queue.Empty:
                application.tick(time.monotonic())
                continue
            if event is None:
                return
            event()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield switches
    finally:
        events.put(None)
        thread.join()
