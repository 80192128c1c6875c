"""Conducts training over the network: leg after leg, through all changes, and through losses."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from controller.client import ControllerClient
from experiments.errors import RanksLost, RunFailed
from experiments.happenings import apply, planned_happenings
from experiments.launching import LAST_WORDS
from experiments.legs import Leg, leg_from, within_reach
from experiments.network import Network
from experiments.record import Record
from experiments.session import LegRun, Observer, Session
from experiments.training import Training
from experiments.twin import Twin
from experiments.watch import SAMPLE_S, Watch
from workloads import strategies
from workloads.job import Job

TEND_S = 1.0
"""How often the controller is looked at."""
STARTUP_TIMEOUT_S = 60.0
GIVING_UP_S = 2.0
"""How long ranks have to say what they waited for, when it is not they who ended the wait."""
RETURN_TIMEOUT_S = 120.0
"""How long ranks that are to restart wait for a campus that is cut off."""
VAIN_LEGS = 3
"""After so many legs without a new step, training is given up."""


class Conductor:
    """Trains a job to its end; each change comes when the last rank has finished the step before.

    Fills ``session`` as it goes, so that a failed run keeps what it measured.
    """

    def __init__(
        self,
        twin: Twin,
        job: Job,
        network: Network,
        training: Training,
        record: Record,
        observer: Observer,
        session: Session,
        watch: Watch,
    ) -> None:
        """Take what is trained, where, what is told to whom, and who watches meanwhile."""
        self._twin, self._job, self._network, self._training = twin, job, network, training
        self._record, self._observer, self._session = record, observer, session
        self._watch = watch
        self._pending = planned_happenings(twin)
        self._gone: set[int] = set()  # ranks that faults took, until their campus rejoins
        self._next_step = self._jobs = self._vain = 0
        self._pace = _Pace()
        self._looked_ns = 0

    def train(self) -> None:
        """Train all legs.

        Raises RunFailed when ranks are lost and nothing is to become of that, or no step ends in
        time, ImpairmentError when a span's engine dies.
        """
        leg = self._leg()
        while self._conducted(leg):
            leg = self._leg()
        self._session.snapshots.append(self._network.counters())

    def _leg(self) -> Leg:
        """Return the leg that comes next."""
        twin, end = self._twin, self._job.steps
        return leg_from(twin.sites, twin.moves, self._next_step, end, self._gone)

    def _conducted(self, leg: Leg) -> bool:
        """Train a leg to its end, or until ranks are lost; return whether another one follows."""
        before = self._next_step
        run: LegRun | None = None
        try:
            run = self._begin(leg)
            self._follow(leg)
        except RanksLost as loss:
            if run is not None:
                run.fault = str(loss).partition(LAST_WORDS)[0]
            self._training.finish()
            self._vain = 0 if self._next_step > before else self._vain + 1
            self._lose(leg, loss)
            return True
        finally:
            if run is not None:
                run.ended = self._network.counters()
        self._training.finish()
        return leg.end < self._job.steps

    def _begin(self, leg: Leg) -> LegRun:
        """Let a leg's ranks join, bring each other to where they go on, and train."""
        ranks = tuple(rank for rank in self._job.ranks if rank.rank in leg.members)
        port = self._job.port + self._jobs
        self._jobs += 1
        self._training.assign(replace(self._job, ranks=ranks, steps=leg.end, port=port))
        ready = self._wait_for_ranks(leg)
        self._network.settle()
        session, counters = self._session, self._network.counters()
        if not session.phases:
            states = dict.fromkeys(self._twin.graph.spans, self._twin.reference)
            session.begin("reference", states, counters)
            session.routed(self._network)
        first_step = ready[0]["first_step"]
        self._happen(first_step)
        state_bytes = sum(event["received_bytes"] for event in ready)
        begin_ns = time.monotonic_ns()
        run = LegRun(leg.members, first_step, begin_ns, counters, state_bytes=state_bytes)
        session.legs.append(run)
        self._training.start()
        self._record.event(
            "training started",
            at_ns=begin_ns,
            ranks=list(leg.members),
            step=first_step,
            state_bytes=state_bytes,
        )
        return run

    def _wait_for_ranks(self, leg: Leg) -> list[dict[str, Any]]:
        """Wait until every rank has joined the process group; return what they say."""
        deadline = time.monotonic() + STARTUP_TIMEOUT_S
        ready: dict[int, dict[str, Any]] = {}
        while len(ready) < len(leg.members):
            for event in self._training.events(timeout_s=0.5):
                if event["kind"] == "ready":
                    ready[event["rank"]] = event
            if time.monotonic() > deadline:
                missing = sorted(set(leg.members) - set(ready))
                raise RunFailed(
                    f"ranks {', '.join(map(str, missing))} did not join the process group "
                    f"within {STARTUP_TIMEOUT_S:g} s"
                )
        setup_ns = max(event["setup_ns"] for event in ready.values())
        self._record.event("ranks ready", setup_s=round(setup_ns / 1e9, 3))
        return list(ready.values())

    def _follow(self, leg: Leg) -> None:
        """Hear what a leg's ranks report until all have trained, and tend the network meanwhile."""
        finished: dict[int, set[int]] = {}
        trained: set[int] = set()
        heard_ns = time.monotonic_ns()
        timeout_s = self._job.compute_ns / 1e9 + self._job.timeout_s + GIVING_UP_S
        while len(trained) < len(leg.members):
            for event in self._training.events(timeout_s=SAMPLE_S):
                heard_ns = time.monotonic_ns()
                if event["kind"] == "trained":
                    trained.add(event["rank"])
                    self._record.event("trained", rank=event["rank"], hash=event["hash"])
                if event["kind"] != "step":
                    continue
                self._record.step({**event, "leg": len(self._session.legs) - 1})
                done = finished.setdefault(event["step"], set())
                done.add(event["rank"])
                if len(done) == len(leg.members):
                    self._finished(event["step"], event["end_ns"])
            self._tend()
            if time.monotonic_ns() - heard_ns > timeout_s * 1e9:
                done = finished.get(max(finished, default=0), set())
                slow = map(str, sorted(set(leg.members) - done))
                raise RunFailed(
                    f"no rank finished a step within {timeout_s:g} s; still waiting for ranks "
                    f"{', '.join(slow)}: the spans may be too slow for workload.timeout"
                )

    def _finished(self, step: int, end_ns: int) -> None:
        """Note that all ranks finished a step, unless they had before, and go on with the plan."""
        if step < self._next_step:
            return
        self._next_step = step + 1
        phase = self._session.phases[-1].name
        self._observer.step(step, phase, *self._pace.after(end_ns, phase))
        self._happen(self._next_step)

    def _happen(self, step: int) -> None:
        """Make all changes that are to come before a step, and have not come yet."""
        while self._pending and self._pending[0][0].step <= step:
            happenings = self._pending.pop(0)
            at = happenings[0].step
            returning = {
                it.campus for it in self._twin.moves if it.kind == "rejoin" and it.step == at
            }
            self._gone -= {rank for rank in self._gone if self._twin.sites[rank] in returning}
            apply(
                happenings,
                self._twin,
                self._network,
                self._training,
                self._record,
                self._session,
            )

    def _lose(self, leg: Leg, loss: RanksLost) -> None:
        """Decide what becomes of training now that ranks were lost; raise the loss if nothing."""
        twin, lost = self._twin, sorted(self._training.lost)
        self._record.event("ranks lost", ranks=lost, error=str(loss), recovery=twin.recovery)
        if twin.recovery == "none" or self._vain == VAIN_LEGS:
            raise loss
        self._observer.stage("recovering")
        if twin.recovery == "restart":
            self._wait_for_return(leg)
            return
        left = within_reach(twin.sites, set(leg.members) - set(lost), self._cut_off())
        sites = [twin.sites[rank] for rank in left]
        options = strategies.settled(self._job.strategy, self._job.options)
        if reason := strategies.refuse(self._job.strategy, sites, options):
            raise RanksLost(f"{loss}\nThose that are left cannot go on: {reason}")
        self._gone |= set(leg.members) - set(left)

    def _wait_for_return(self, leg: Leg) -> None:
        """Wait until no campus is cut off from another."""
        deadline = time.monotonic() + RETURN_TIMEOUT_S
        sites = self._twin.sites
        while len(within_reach(sites, leg.members, self._cut_off())) < len(leg.members):
            if time.monotonic() > deadline:
                apart = ", ".join(f"{a} from {b}" for a, b in self._cut_off())
                raise RunFailed(
                    f"ranks cannot restart: still cut off after {RETURN_TIMEOUT_S:g} s: {apart}"
                )
            time.sleep(0.05)
            self._tend()

    def _cut_off(self) -> Sequence[tuple[str, str]]:
        return self._network.supervised.ask(ControllerClient.health).cut_off

    def _tend(self) -> None:
        """Let the watch look; see that the controller lives, and where it has routed by itself."""
        now_ns, network, record = time.monotonic_ns(), self._network, self._record
        self._watch.tend()
        if now_ns - self._looked_ns >= TEND_S * 1e9:
            if network.supervised.restart_if_dead():
                record.event("controller restarted")
            health = network.supervised.ask(ControllerClient.health)
            self._watch.hear(health)
            version = health.version
            if version not in (0, self._session.version):
                self._session.routed(network, by_itself=True)
                record.event("rerouted", version=self._session.version)
            self._looked_ns = time.monotonic_ns()


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
