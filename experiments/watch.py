"""Looks at the machine and at the spans while training runs; `watchchecks` judges what it sees."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from types import TracebackType

from controller.messages import Health
from experiments import watchchecks
from experiments.clocks import Pulse, read_clocks
from experiments.fidelity import Check
from experiments.network import Network
from experiments.ondisk import OnDisk
from experiments.processors import Processors
from experiments.record import Record
from experiments.session import Session
from experiments.watchchecks import Astray, Look, Window
from topologies.emulation.impairer import Counters
from topologies.emulation.ownership import MARK
from topologies.linkstate import Duplex

SAMPLE_S, LOOK_S = 0.2, 1.0
"""How often the spans are read, and the machine."""
MEDDLING_TOLD = 5
"""Of rules that others changed; `events.jsonl` holds more."""
WAYS = ("forward", "backward")


@dataclass(frozen=True)
class _Reading:
    """The counters of all spans, and the time in which they were read."""

    begin_ns: int
    end_ns: int
    counters: dict[str, tuple[Counters, Counters]]


class Watch:
    """Samples a run; a context manager around its training.

    Samples go to ``spans.jsonl`` and ``machine.jsonl``; of what the spans did in every window of
    time only the worst is kept, and what is judged in the end lies in files until then.
    """

    def __init__(self, network: Network, record: Record, session: Session) -> None:
        """Take what is watched, and where samples go."""
        self._network, self._record, self._session = network, record, session
        self._processors = Processors(os.environ.get(MARK))
        self._looks: OnDisk[Look] = OnDisk()
        self._turned, self._fine = 0, True  # which of them this phase began with; how the last was
        self._windows: dict[tuple[str, int], _Reading] = {}  # what each began with
        self._allowed: dict[tuple[str, int], set[Duplex]] = {}  # in which states, since then
        self._worst: dict[tuple[str, str], Check] = {}
        self._astray: dict[str, Astray] = {}
        self._drops: OnDisk[tuple[str, dict[str, int]]] = OnDisk()
        self._foreign, self._foreign_known = 0, network.foreign_before
        self._meddling: list[str] = []
        self._looked_ns = self._sampled_ns = 0

    def __enter__(self) -> Watch:
        self._drops.append(("", self._network.lab.unmodelled_drops()))
        self._pulse = Pulse()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pulse.close()

    def tend(self) -> None:
        """Look at what is due; raises ImpairmentError when a span's engine is gone."""
        now_ns, phases = time.monotonic_ns(), len(self._session.phases)
        if not phases:
            return
        if now_ns - self._sampled_ns >= SAMPLE_S * 1e9:
            self._sample()
        turned = not self._looks or self._looks[-1].phase != phases - 1
        if turned or now_ns - self._looked_ns >= LOOK_S * 1e9:
            self._look(turned)

    def hear(self, health: Health) -> None:
        """Take note of what the controller says of rules that others have changed."""
        if health.foreign_changes < self._foreign_known:
            self._foreign_known = 0  # it was started anew
        if new := health.foreign_changes - self._foreign_known:
            self._foreign_known = health.foreign_changes
            self._foreign += new
            last = list(health.foreign[-new:])
            if len(self._meddling) < MEDDLING_TOLD:
                self._meddling.append(f"{self._when(time.monotonic_ns())}: {last[0]}")
            self._record.event("rules changed by others", changes=new, last=last)

    def end(self) -> None:
        """Look once more, training being over."""
        if self._session.phases:
            last = self._sample()
            self._look(turned=True)
            for span, way in self._windows:
                self._judge_window(span, way, last)

    def checks(self) -> list[Check]:
        """Judge everything that was seen so far."""
        names = [phase.name for phase in self._session.phases]
        return [
            *watchchecks.machine_checks(self._looks, names, os.cpu_count() or 1),
            *self._worst.values(),
            *watchchecks.state_checks(self._astray, self._windows.keys()),
            watchchecks.check_rules(self._foreign, self._meddling),
            *watchchecks.drop_checks(self._drops),
        ]

    def _sample(self) -> _Reading:
        """Read the spans' counters, and whether they are in their states."""
        network, begin_ns = self._network, time.monotonic_ns()
        counters = network.counters()
        now = _Reading(begin_ns, time.monotonic_ns(), counters)
        self._sampled_ns = begin_ns
        for span, directions in counters.items():
            for way, (direction, counted) in enumerate(zip(WAYS, directions, strict=True)):
                values = asdict(counted)
                del values["lateness"]
                at_ns = values.pop("read_ns") or begin_ns
                line = {"at_ns": at_ns, "span": span, "direction": direction}
                self._record.sample({**line, **values})
                key = span, way
                since = self._windows.setdefault(key, now)
                self._allowed.setdefault(key, set()).update(network.allowed[span])
                if watchchecks.is_whole(since.end_ns, begin_ns, since.counters[span][way], counted):
                    self._judge_window(span, way, now)
                    self._windows[key], self._allowed[key] = now, {*network.allowed[span]}
        for span, how in network.impairer.deviations().items():
            known = self._astray.get(span)
            self._astray[span] = Astray(
                readings=known.readings + 1 if known else 1,
                when=known.when if known else self._when(begin_ns),
                how=known.how if known else how,
            )
        return now

    def _judge_window(self, span: str, way: int, until: _Reading) -> None:
        """Judge what one direction of a span did until now; keep that if it is the worst so far."""
        since, allowed = self._windows[span, way], self._allowed[span, way]
        middle_ns = (since.begin_ns + until.end_ns) // 2  # a phase may have ended meanwhile
        window = Window(
            subject=f"{span} {WAYS[way]}, {self._when(middle_ns)}",
            lasted_ns=until.end_ns - since.begin_ns,
            before=since.counters[span][way],
            after=until.counters[span][way],
            states=tuple(duplex.ways[way] for duplex in allowed),
            round_trip_ns=min(duplex.round_trip_ns for duplex in allowed),
        )
        for check in watchchecks.window_checks(window):
            key = check.name, f"{span} {WAYS[way]}"
            worst = self._worst.get(key)
            if not worst or check.measured / check.tolerance > worst.measured / worst.tolerance:
                self._worst[key] = check

    def _look(self, turned: bool) -> None:
        """Look at the machine; ``turned`` says that a phase ended or began."""
        phase = len(self._session.phases) - 1
        taken, suspicious = self._processors.read(), False
        if self._looks:
            before, processors = self._looks[-1].taken, os.cpu_count() or 1
            share, most = watchchecks.taken_by_others(before, taken, processors)
            suspicious = share > most  # who it was is seen only while it lives
        look = Look(
            phase=phase,
            taken=taken,
            clocks=read_clocks(),
            stalled_ns=self._pulse.latest_ns(),
            others=self._processors.others() if turned or suspicious else {},
            when=self._when(time.monotonic_ns()),
        )
        if turned and self._looks:
            name = self._session.phases[self._looks[-1].phase].name
            self._drops.append((name, self._network.lab.unmodelled_drops()))
        self._looks.append(look)
        if turned:
            self._forget_others()
        self._looked_ns = look.taken.at_ns
        clocks = look.clocks
        self._record.machine(
            {
                **asdict(taken),
                "phase": self._session.phases[phase].name,
                "realtime_ns": clocks.realtime_ns,
                "boottime_ns": clocks.boottime_ns,
                "stalled_ns": look.stalled_ns,
            }
        )

    def _forget_others(self) -> None:
        """Forget who had processors in the phase that is over, unless they had too much of them."""
        begin, self._turned = self._turned, len(self._looks) - 1
        processors, looks = os.cpu_count() or 1, [look.taken for look in self._looks[begin:]]
        spans = [*pairwise(looks), (looks[0], looks[-1])] if looks[1:] else []
        shares = [watchchecks.taken_by_others(*span, processors) for span in spans]
        fine = all(share <= most for share, most in shares)
        if fine and self._fine:  # with this look the phase before ended
            self._looks[begin] = replace(self._looks[begin], others={})
        self._fine = fine

    def _when(self, at_ns: int) -> str:
        """Say when something was, by the phase then and the seconds of the run."""
        latest_first = reversed(self._session.phases)
        begun = (phase.name for phase in latest_first if phase.begin_ns <= at_ns)
        name = next(begun, "before the first phase")
        return f"{name}, {self._record.seconds(at_ns):.1f} s"
