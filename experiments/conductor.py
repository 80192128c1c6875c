"""Conducts training over the network: leg after leg, through all changes, and through losses."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from controller.client import ControllerClient
from experiments.course import Course
from experiments.errors import RanksLost, RunFailed
from experiments.happenings import apply
from experiments.launching import LAST_WORDS
from experiments.legs import Leg, leg_from
from experiments.live import HEAR_S, Live
from experiments.losing import left_behind, wait_for_return
from experiments.network import Network
from experiments.pace import Pace
from experiments.record import Record
from experiments.reins import Reins
from experiments.session import LegRun, Observer, Session
from experiments.statistics.phases import period_of
from experiments.training import Training
from experiments.watch import SAMPLE_S, Watch
from workloads.job import Job

TEND_S = 1.0
"""How often the controller is looked at."""
STARTUP_TIMEOUT_S = 60.0
GIVING_UP_S = 2.0
"""How long ranks have to say what they waited for, when it is not they who ended the wait."""
VAIN_LEGS = 3
"""After so many legs without a new step, training is given up."""


class Conductor:
    """Trains a job to its end; each change comes when the last rank has finished the step before.

    Fills ``session`` as it goes, so that a failed run keeps what it measured.
    """

    def __init__(
        self,
        course: Course,
        job: Job,
        network: Network,
        training: Training,
        record: Record,
        observer: Observer,
        session: Session,
        watch: Watch,
        live: Live | None = None,
    ) -> None:
        """Take what is trained, where, what is told to whom, and who watches and wishes."""
        self._course, self._job, self._network, self._training = course, job, network, training
        self._record, self._observer, self._session = record, observer, session
        self._watch, self._live = watch, live
        self._gone: set[int] = set()  # ranks that faults took, until their campus rejoins
        self._jobs = self._vain = 0
        self._pace = Pace()
        self._reins = Reins(course, training, network, record, session, self._pace, live)
        self._looked_ns, self._restarts = 0, network.supervised.restarts

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
        course, twin = self._course, self._course.twin
        turns = [strategy.step for strategy in twin.strategies]
        return leg_from(twin.sites, twin.moves, course.next_step, course.end, self._gone, turns)

    def _conducted(self, leg: Leg) -> bool:
        """Train a leg to its end, or until ranks are lost; return whether another one follows."""
        before = self._course.next_step
        run: LegRun | None = None
        try:
            run = self._begin(leg)
            self._follow(run)
        except RanksLost as loss:
            if run is not None:
                run.fault = str(loss).partition(LAST_WORDS)[0]
            self._training.finish()
            self._reins.lost()
            self._vain = 0 if self._course.next_step > before else self._vain + 1
            self._lose(leg, loss)
            return True
        finally:
            if run is not None:
                run.ended = self._network.counters()
        self._training.finish()
        return self._reins.leg.end < self._course.end

    def _begin(self, leg: Leg) -> LegRun:
        """Let a leg's ranks join and bring each other to where they go on."""
        ranks = tuple(rank for rank in self._job.ranks if rank.rank in leg.members)
        port = self._job.port + self._jobs
        self._jobs += 1
        strategy = self._course.twin.strategy_at(self._course.next_step)
        options = dict(strategy.options)
        job = replace(self._job, ranks=ranks, steps=leg.end, port=port)
        self._training.assign(replace(job, strategy=strategy.name, options=options))
        ready = self._wait_for_ranks(leg)
        self._network.settle()
        session, counters = self._session, self._network.counters()
        if not session.phases:
            states = dict.fromkeys(self._course.twin.graph.spans, self._course.twin.reference)
            session.begin("reference", states, counters, reference=True)
            session.routed(self._network)
        first_step = ready[0]["first_step"]
        self._happen(first_step)
        state_bytes = sum(event["received_bytes"] for event in ready)
        run = LegRun(
            leg.members,
            first_step,
            time.monotonic_ns(),
            counters,
            state_bytes=state_bytes,
            strategy=strategy.name,
            options=options,
        )
        session.legs.append(run)
        self._pace.train_by(period_of(options))
        self._reins.take(leg, first_step)
        return run

    def _start(self, run: LegRun) -> None:
        """Let a leg's ranks train."""
        run.begin_ns = time.monotonic_ns()
        self._training.start()
        if len(self._session.legs) > 1 and run.begin_ns in self._session.since_ns:
            self._pace.rest(run.begin_ns)
        self._record.event(
            "training started",
            at_ns=run.begin_ns,
            ranks=list(run.members),
            step=run.first_step,
            state_bytes=run.state_bytes,
            strategy=run.strategy,
        )

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

    def _follow(self, run: LegRun) -> None:
        """Hear what a leg's ranks report until all have trained, and tend the network meanwhile."""
        leg, reins, started = self._reins.leg, self._reins, False
        finished: dict[int, set[int]] = {}
        trained: set[int] = set()
        heard_ns = time.monotonic_ns()
        timeout_s = self._job.compute_ns / 1e9 + self._job.timeout_s + GIVING_UP_S
        while len(trained) < len(leg.members):
            if not started and (not reins.resting or reins.leg.end == run.first_step):
                self._start(run)
                started = True
            for event in self._training.events(timeout_s=HEAR_S if self._live else SAMPLE_S):
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
                    del finished[event["step"]]
                    self._finished(event["step"], event["end_ns"])
            self._tend()
            reins.tend(self._happen)
            if reins.resting:
                heard_ns = time.monotonic_ns()
            if time.monotonic_ns() - heard_ns > timeout_s * 1e9:
                done = finished.get(max(finished, default=0), set())
                slow = map(str, sorted(set(leg.members) - done))
                raise RunFailed(
                    f"no rank finished a step within {timeout_s:g} s; still waiting for ranks "
                    f"{', '.join(slow)}: the spans may be too slow for workload.timeout"
                )

    def _finished(self, step: int, end_ns: int) -> None:
        """Note that all ranks finished a step, unless they had before, and go on with the plan."""
        if step >= self._course.next_step:
            self._course.next_step = step + 1
            phase = self._session.phases[-1]
            self._observer.step(step, phase.name, *self._pace.after(end_ns, phase))
            self._happen(step + 1)
        self._reins.arrived(step + 1)

    def _happen(self, step: int) -> None:
        """Make all changes that are to come before a step, and have not come yet."""
        twin = self._course.twin
        for happenings in self._course.due(step):
            at = happenings[0].step
            returning = {it.campus for it in twin.moves if it.kind == "rejoin" and it.step == at}
            self._gone -= {rank for rank in self._gone if twin.sites[rank] in returning}
            apply(
                happenings,
                twin,
                self._network,
                self._training,
                self._record,
                self._session,
            )

    def _lose(self, leg: Leg, loss: RanksLost) -> None:
        """Decide what becomes of training now that ranks were lost; raise the loss if nothing."""
        twin, lost = self._course.twin, sorted(self._training.lost)
        self._record.event("ranks lost", ranks=lost, error=str(loss), recovery=twin.recovery)
        self._session.died += sorted(self._training.lost - self._training.killed)
        if twin.recovery == "none" or self._vain == VAIN_LEGS:
            raise loss
        self._observer.stage("recovering")
        if twin.recovery == "restart":
            wait_for_return(leg, twin.sites, self._network, self._tend)
            return
        strategy = twin.strategy_at(self._course.next_step)
        self._gone |= left_behind(leg, lost, twin.sites, self._network, strategy, loss)

    def _tend(self) -> None:
        """Let the watch look; see that the controller lives, and where it has routed by itself."""
        now_ns, network, record = time.monotonic_ns(), self._network, self._record
        self._watch.tend()
        if self._live:
            self._live.judge(self._watch.checks)
        if now_ns - self._looked_ns >= TEND_S * 1e9:
            network.supervised.restart_if_dead()
            health = network.supervised.ask(ControllerClient.health)
            if network.supervised.restarts > self._restarts:  # now, or by who asked it meanwhile
                self._restarts = network.supervised.restarts
                record.event("controller restarted")
            self._watch.hear(health)
            version = health.version
            if version not in (0, self._session.version):
                in_force_ns = self._session.routed(network, by_itself=True)
                record.event("rerouted", at_ns=in_force_ns, version=self._session.version)
            self._looked_ns = time.monotonic_ns()
