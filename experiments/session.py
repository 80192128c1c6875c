"""One training session over the network: start it, change the spans as planned, count."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any, Protocol

from controller.client import ControllerClient
from experiments.changes import Change
from experiments.coherence import PhasePlan
from experiments.errors import RunFailed
from experiments.network import Network
from experiments.record import Record
from experiments.timeline import DONE
from experiments.traffic import Routes
from experiments.training import Training
from experiments.twin import Action, Twin
from topologies.emulation.impairer import Counters
from topologies.linkstate import Duplex

SAMPLE_S, TEND_S = 0.2, 1.0
"""How often the spans' counters are read, and the controller is looked at."""
STARTUP_TIMEOUT_S = 60.0

SpanCounters = Mapping[str, tuple[Counters, Counters]]


class Observer(Protocol):
    """Somebody who watches a run."""

    def begin(self, steps: int) -> None:
        """Learn that a run of ``steps`` steps begins."""

    def stage(self, text: str) -> None:
        """Learn what the run does now."""

    def step(self, step: int, phase: str, step_ms: float, coherence: float | None) -> None:
        """Learn that all ranks finished a step."""


@dataclass
class Session:
    """What a session leaves for the result.

    Attributes:
        phases: in order, each with the time from which it was in force.
        states: by phase, the state of every span.
        snapshots: the spans' counters at the start of each phase and at the end of training.
        routes: the controller's, each with the time (ns) from which it was in force.
        version: that the controller gave them.
        rerouted: whether the controller changed them by itself, in the middle of a step.
    """

    phases: list[PhasePlan] = field(default_factory=list)
    states: list[dict[str, Duplex]] = field(default_factory=list)
    snapshots: list[SpanCounters] = field(default_factory=list)
    routes: list[tuple[int, Routes]] = field(default_factory=list)
    version: int = 0
    rerouted: bool = False

    def begin(self, name: str, states: dict[str, Duplex], counters: SpanCounters) -> None:
        """Begin a phase now."""
        self.phases.append(PhasePlan(name, time.monotonic_ns()))
        self.states.append(states)
        self.snapshots.append(counters)

    def routed(self, network: Network, *, by_itself: bool = False) -> None:
        """Take note of the routes now in force."""
        health = network.supervised.ask(ControllerClient.health)
        self.version = health.version
        self.rerouted |= by_itself
        last_ns = self.routes[-1][0] if self.routes else 0
        at_ns = max(last_ns, health.in_force_ns)  # a controller started anew no longer knows
        self.routes.append((at_ns, network.supervised.ask(ControllerClient.crossings)))


def train_through(
    twin: Twin,
    network: Network,
    training: Training,
    record: Record,
    observer: Observer,
    session: Session,
    *,
    step_timeout_s: float,
) -> None:
    """Train to the end; each change comes when the last rank has finished the step before it.

    Fills ``session`` as it goes, so that a failed run keeps what it measured. Raises RunFailed when
    a rank dies or no step ends in ``step_timeout_s``, ImpairmentError when a span's engine dies.
    """
    ranks = len(twin.graph.workers)
    _wait_for_ranks(training, record, ranks)
    network.settle()
    session.begin("reference", dict.fromkeys(twin.graph.spans, twin.reference), network.counters())
    session.routed(network)
    training.start()
    record.event("training started")
    planned: list[Change | Action] = [*twin.changes, *twin.actions]
    planned.sort(key=lambda it: it.step)
    pending = [list(group) for _, group in groupby(planned, key=lambda it: it.step)]
    finished: dict[int, set[int]] = {}
    trained: set[int] = set()
    pace = _Pace()
    moved_ns = next_sample_ns = next_look_ns = time.monotonic_ns()
    while len(trained) < ranks:
        for event in training.events(timeout_s=SAMPLE_S):
            moved_ns = time.monotonic_ns()
            if event["kind"] == "trained":
                trained.add(event["rank"])
                record.event("trained", rank=event["rank"], hash=event["hash"])
            if event["kind"] != "step":
                continue
            record.step(event)
            done = finished.setdefault(event["step"], set())
            done.add(event["rank"])
            if len(done) < ranks:
                continue
            phase = session.phases[-1].name
            observer.step(event["step"], phase, *pace.after(event["end_ns"], phase))
            if pending and event["step"] + 1 == pending[0][0].step:
                _apply(pending.pop(0), twin, network, record, session)
        if time.monotonic_ns() >= next_sample_ns:
            _sample(network, record)
            next_sample_ns = time.monotonic_ns() + int(SAMPLE_S * 1e9)
        if time.monotonic_ns() >= next_look_ns:
            _tend(network, record, session)
            next_look_ns = time.monotonic_ns() + int(TEND_S * 1e9)
        if time.monotonic_ns() - moved_ns > step_timeout_s * 1e9:
            slow = sorted(set(range(ranks)) - finished.get(max(finished, default=0), set()))
            raise RunFailed(
                f"no rank finished a step within {step_timeout_s:g} s; still waiting for ranks "
                f"{', '.join(map(str, slow))}: the spans may be too slow for workload.timeout"
            )
    session.snapshots.append(network.counters())


class _Pace:
    """The live step time, and coherence against the reference so far."""

    def __init__(self) -> None:
        self._last_ns = 0
        self._reference_ms: list[float] = []

    def after(self, end_ns: int, phase: str) -> tuple[float, float | None]:
        step_ms = (end_ns - self._last_ns) / 1e6 if self._last_ns else 0.0
        self._last_ns = end_ns
        if phase == "reference":
            self._reference_ms.append(step_ms)
            return step_ms, None
        usual_ms = sorted(self._reference_ms)[len(self._reference_ms) // 2]
        return step_ms, usual_ms / step_ms


def _apply(
    happenings: list[Change | Action],
    twin: Twin,
    network: Network,
    record: Record,
    session: Session,
) -> None:
    """Change spans and routing all at once, and begin the phase that is named after it."""
    counters = network.counters()
    changes = [it for it in happenings if isinstance(it, Change)]
    actions = [it for it in happenings if isinstance(it, Action)]
    states = {change.span: change.emulated for change in changes}
    if states:
        network.set_spans(states)
    for action in actions:
        network.act(action)
        counters = network.counters()  # until now, traffic went the old way
    begin_ns = time.monotonic_ns()
    aged_ns = session.phases[1].begin_ns if len(session.phases) > 1 else begin_ns
    for change in changes:
        if replay := twin.replay_of(change, begin_ns - aged_ns):
            network.replay(change.span, replay, begin_ns)
            record.event("replay", span=change.span, at_ns=begin_ns, changes=_offsets(replay))
    session.begin(_phase_name(changes, actions), session.states[-1] | states, counters)
    session.routed(network)
    for change in changes:
        record.event(
            change.kind,
            at_ns=session.phases[-1].begin_ns,
            step=change.step,
            target=change.span,
            upgrade=change.upgrade,
            state=asdict(change.emulated),
        )
    for action in actions:
        at_ns = session.phases[-1].begin_ns
        record.event(action.kind, at_ns=at_ns, step=action.step, target=action.target, upgrade=None)


def _tend(network: Network, record: Record, session: Session) -> None:
    """See that the controller lives, and take note where it has routed anew by itself."""
    if network.supervised.restart_if_dead():
        record.event("controller restarted")
    version = network.supervised.ask(ControllerClient.health).version
    if version not in (0, session.version):
        session.routed(network, by_itself=True)
        record.event("rerouted", version=session.version)


def _phase_name(changes: list[Change], actions: list[Action]) -> str:
    """Name a phase after what began it; at first all spans age at once."""
    if changes and all(change.kind == "age" and change.first for change in changes):
        return "aged"
    if changes and changes[0].phase:
        return changes[0].phase
    done = {(change.kind, change.span) for change in changes}
    done |= {(action.kind, action.target) for action in actions}
    kinds = {kind for kind, _ in done}
    if kinds == {"policy"}:
        return f"routing by {actions[0].target}"
    targets = " and ".join(dict.fromkeys(target for _, target in sorted(done)))
    return f"{targets} {DONE[kinds.pop()] if len(kinds) == 1 else 'changed'}"


def _offsets(replay: list[tuple[int, Duplex]]) -> list[dict[str, Any]]:
    """Return what a replay holds, for the record: seconds, and whether the span then works."""
    return [
        {"after_s": round(offset_ns / 1e9, 6), "up": all(way.up for way in duplex.ways)}
        for offset_ns, duplex in replay
    ]


def _wait_for_ranks(training: Training, record: Record, ranks: int) -> None:
    """Wait until every rank has joined the process group."""
    deadline = time.monotonic() + STARTUP_TIMEOUT_S
    ready: dict[int, int] = {}
    while len(ready) < ranks:
        for event in training.events(timeout_s=0.5):
            if event["kind"] == "ready":
                ready[event["rank"]] = event["setup_ns"]
        if time.monotonic() > deadline:
            missing = sorted(set(range(ranks)) - set(ready))
            raise RunFailed(
                f"ranks {', '.join(map(str, missing))} did not join the process group "
                f"within {STARTUP_TIMEOUT_S:g} s"
            )
    record.event("ranks ready", setup_s=round(max(ready.values()) / 1e9, 3))


def _sample(network: Network, record: Record) -> None:
    now_ns = time.monotonic_ns()
    for span, directions in network.counters().items():
        for direction, counters in zip(("forward", "backward"), directions, strict=True):
            values = asdict(counters)
            del values["lateness"]
            record.sample({"at_ns": now_ns, "span": span, "direction": direction, **values})
