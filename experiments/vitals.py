"""Whether all that a run consists of lives and goes on; one that does not fails the run at once.

Whoever trains or measures waits for others, some of them for minutes. So a thread looks at every
component's process ten times a second, and interrupts the main thread where a component's `Kind`
says so: with `ComponentLost`, from the handler of a signal, wherever it is.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import FrameType

from controller.errors import ControllerError
from experiments.components import KINDS, Component
from experiments.errors import RunFailed
from experiments.fidelity import Check
from experiments.heartbeat import Heartbeat
from experiments.launching import LAST_WORDS
from experiments.processstate import Process, age_s, end_of, look_at, turns
from topologies.emulation import procfs
from topologies.emulation.errors import EmulationError
from topologies.emulation.ownership import MARK, carries

LOOK_S = 0.1
"""Between two looks in the mean, and never evenly: one that stands by turns must not hide."""
YOUNG_S = 0.5
"""So long after its start, whose mark a process carries is not settled: it may still be about to
begin another program, with another environment."""
STANDSTILL_S = 2.0
"""How long a component may stand before the run is given up, or the component."""
REPEAT_S = 3.0
"""After which the main thread is told again, should it have lost the first interruption."""
SIGNAL = signal.SIGUSR1
_RANK = re.compile(r"rank (\d+)$")

Pids = Callable[[], int]

FAILURES = (RunFailed, EmulationError, ControllerError, subprocess.SubprocessError, OSError)
"""What a component that is gone makes others raise."""


class ComponentLost(RunFailed):
    """A component died or stands still; the text names it and says what to do."""


@dataclass
class _Standing:
    """A component that was seen stopped: since when, and whether it has run meanwhile."""

    since: float
    turns: int


@dataclass
class _Noted:
    """What was seen of a component that went on: for how long it stood, and since when."""

    seconds: float = 0.0
    first_s: float = field(default_factory=time.monotonic)


class Vitals:
    """Watches the components of a run from `arm` on until `rest`; see `Component`.

    Attributes:
        lost: what failed the run, once something has.
        ended: components that were ended because they stood still, and why.
    """

    def __init__(self) -> None:
        """Watch nothing yet."""
        self.lost: str | None = None
        self.ended: list[str] = []
        self._known: dict[Component, Pids] = {}
        self._beats: list[tuple[Component, Heartbeat]] = []
        self._first: dict[Component, Process] = {}
        self._found: dict[int, Component | None] = {}
        self._standing: dict[tuple[Component, int], _Standing] = {}
        self._noted: dict[str, _Noted] = {}
        self._armed = False
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._before: object = None

    def watch(self, component: Component, pid: int | Pids) -> None:
        """Watch a component from now on, by its process, which may be another one later."""
        number = pid
        with self._lock:
            self._known[component] = number if callable(number) else lambda: number
            self._first.pop(component, None)

    def listen(self, component: Component, heartbeat: Heartbeat) -> None:
        """Ask a component regularly whether it still answers."""
        with self._lock:
            self._beats.append((component, heartbeat))

    def arm(self) -> None:
        """Begin to watch for a run; what was noted before is forgotten."""
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread can be interrupted
        self.rest()
        self.lost, self.ended = None, []
        self._noted, self._standing = {}, {}
        self._over = threading.Event()
        self._before = signal.signal(SIGNAL, self._interrupt)
        self._armed = True
        self._thread = threading.Thread(target=self._attend, name="vitals", daemon=True)
        self._thread.start()

    def rest(self) -> None:
        """Stop watching: from now on components are taken down on purpose."""
        self._armed = False
        if self._thread is not None:
            self._over.set()
            self._thread.join()
            self._thread = None
            signal.signal(SIGNAL, self._before)  # type: ignore[arg-type]
            for _, heartbeat in self._beats:
                heartbeat.close()

    def why(self) -> str | None:
        """Look once more now that something has failed; say which component was the cause."""
        if self._armed and self.lost is None:
            with contextlib.suppress(OSError):
                self._look(time.monotonic())
                for component, _ in self._stopped():
                    self._fail(component.stands("was stopped by a signal"))
        return self.lost

    @contextlib.contextmanager
    def explaining(self) -> Iterator[None]:
        """Say of an error which component was the cause, where one was; then rest.

        Raises ComponentLost in place of such an error.
        """
        try:
            yield
        except ComponentLost:
            raise
        except FAILURES as error:
            why, said = self.why(), str(error).partition(LAST_WORDS)[0]
            told = [*([why] if why else self.ended)]
            if not told:
                raise
            raise ComponentLost("; ".join([*told, f"what followed: {said}"])) from error
        finally:
            self.rest()

    def checks(self) -> list[Check]:
        """Demand that no component stood still, for however short."""
        found = [
            Check("stood still", name, 0, noted.seconds, 0, "s", False)
            for name, noted in sorted(self._noted.items())
        ]
        return found or [Check("stood still", "all components", 0, 0, 0, "s", True)]

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._armed and self.lost is not None:
            raise ComponentLost(self.lost)

    def _attend(self) -> None:
        """Look until it is over; a look for which the machine lacks something is left out."""
        draws = random.Random()
        told = 0.0
        while not self._over.wait(LOOK_S * draws.uniform(0.5, 1.5)):
            now = time.monotonic()
            with contextlib.suppress(OSError):
                self._search()
                if self.lost is None:
                    self._look(now)
            if self.lost is not None and now - told >= REPEAT_S:
                told = now
                if self._armed:
                    signal.pthread_kill(threading.main_thread().ident or 0, SIGNAL)

    def _look(self, now: float) -> None:
        """Look at every component, and do what its kind says where it is not well."""
        for component, pid in [*self._pids()]:
            self._judge(component, pid, now)
        with self._lock:
            beats = list(self._beats)
        for component, heartbeat in beats:
            silent_s = heartbeat.silent_s(now)
            if silent_s is not None:
                self._fail(component.stands(f"has not answered for {silent_s:.0f} s"))

    def _judge(self, component: Component, pid: int, now: float) -> None:
        process = look_at(pid)
        first = self._first.get(component)
        if process is not None and (first is None or first.pid != pid):
            self._first[component] = first = process
        if process is None or process.ended or (first and process.started != first.started):
            if KINDS[component.kind].dead == "fail":
                self._fail(component.died(end_of(process)))
            return
        key = component, pid
        if not process.stands:
            self._standing.pop(key, None)
            return
        run, standing = turns(pid), self._standing.get(key)
        if standing is None or standing.turns != run:
            self._standing[key] = _Standing(now, run)
            self._note(component, LOOK_S)
            return
        self._note(component, LOOK_S)
        if now - standing.since >= STANDSTILL_S:
            self._stands(component, pid, now - standing.since)

    def _note(self, component: Component, seconds: float) -> None:
        self._noted.setdefault(component.name, _Noted()).seconds += seconds

    def _stands(self, component: Component, pid: int, seconds: float) -> None:
        how = f"was stopped by a signal and stood still for {seconds:.0f} s"
        if KINDS[component.kind].still == "fail":
            self._fail(component.stands(how))
        if KINDS[component.kind].still == "end it":
            self.ended.append(f"{component.name} {how}")
            self._standing.clear()
            _kill(pid)

    def _fail(self, message: str) -> None:
        """Fail the run; what stands still is ended, so that taking it down waits for nobody."""
        if self.lost is None:
            self.lost = message
        for _, pid in self._stopped():
            _kill(pid)

    def _stopped(self) -> list[tuple[Component, int]]:
        """Return the components that stand now."""
        seen = [(component, pid, look_at(pid)) for component, pid in [*self._pids()]]
        return [(component, pid) for component, pid, it in seen if it is not None and it.stands]

    def _pids(self) -> Iterable[tuple[Component, int]]:
        with self._lock:
            known = list(self._known.items())
        yield from ((component, pid()) for component, pid in known)
        yield from ((it, pid) for pid, it in list(self._found.items()) if it is not None)

    def _search(self) -> None:
        """Find what the run has started: its ranks, by the names they give themselves, and helpers.

        Each process is asked whether it carries the run's mark until that is settled.
        """
        mark = f"{MARK}={os.environ.get(MARK)}".encode()
        present = {int(name) for name in os.listdir("/proc") if name.isdecimal()}  # noqa: PTH208
        with self._lock:
            known = {pid() for pid in self._known.values()}
        gone = {it for pid, it in self._found.items() if it is not None and pid not in present}
        self._first = {it: first for it, first in self._first.items() if it not in gone}
        self._found = {pid: it for pid, it in self._found.items() if pid in present - known}
        for pid in present - self._found.keys() - known - {os.getpid()}:
            if carries(pid, mark):
                self._found[pid] = _named(pid)
            elif not _is_young(pid):
                self._found[pid] = None
        for pid, component in self._found.items():
            if component is not None and component.kind == "helper":
                self._found[pid] = _named(pid)  # a fork gives itself its name a little later


@contextlib.contextmanager
def watched() -> Iterator[Vitals]:
    """Watch what is built inside, from the first component on; see `Vitals.explaining`."""
    vitals = Vitals()
    vitals.arm()
    with vitals.explaining():
        yield vitals


def _named(pid: int) -> Component:
    process = look_at(pid)
    name = process.name if process else "?"
    if _RANK.match(name):
        return Component("rank", name)
    try:
        words = procfs.data(pid, "cmdline").split(b"\0")
    except OSError:
        words = []
    module = words[words.index(b"-m") + 1].decode() if b"-m" in words[:-1] else name
    if module.endswith(".prober"):
        return Component("helper", "the prober")
    return Component("helper", name if name in KINDS else f"{module} (process {pid})")


def _is_young(pid: int) -> bool:
    process = look_at(pid)
    return process is not None and age_s(process) < YOUNG_S


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
