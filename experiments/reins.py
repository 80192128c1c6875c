"""Holds ranks back and lets them go: pauses, and what is wished while they train."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from experiments.course import Course
from experiments.legs import Leg
from experiments.live import Live
from experiments.moments import soonest
from experiments.network import Network
from experiments.pace import Pace
from experiments.record import Record
from experiments.rests import Rest
from experiments.scenario import Scenario
from experiments.session import Session
from experiments.steering import (
    ended,
    is_halt,
    open_failure,
    real_ns,
    twin_like,
    with_event,
    with_failure_of,
    with_pause,
)
from experiments.timeline import RANKS
from experiments.training import Training
from experiments.twin import Twin
from topologies.files import FileError
from topologies.units import render


class Reins:
    """What is wished goes onto the course; ranks stop where it says.

    Attributes:
        leg: that is under way, or follows; its end moves where a wish ends it.
    """

    leg: Leg

    def __init__(
        self,
        course: Course,
        training: Training,
        network: Network,
        record: Record,
        session: Session,
        pace: Pace,
        live: Live | None,
    ) -> None:
        """Take the course, who trains, where, and who wishes, if anybody may."""
        self._course, self._training, self._network = course, training, network
        self._record, self._session, self._pace = record, session, pace
        self._live = live
        self._held: int | None = None  # the step before which no rank goes on by itself
        self._rest_ns: int | None = None  # when the pause that is under way began
        self._until_ns: int | None = None  # and when it ends by itself, if it does
        self._open: int | None = None  # the number of the pause that a wish will end

    @property
    def resting(self) -> bool:
        """Whether training pauses now."""
        return self._rest_ns is not None

    def take(self, leg: Leg, first_step: int) -> None:
        """Take a leg whose ranks are ready, and wait at its start."""
        self.leg, self._held = leg, None
        self._rest_if_due(first_step)
        if not self.resting:
            self._hold_next(first_step)

    def arrived(self, step: int) -> None:
        """Begin the pause that comes before a step, if one does, all ranks having come there."""
        if step < self.leg.end:
            self._rest_if_due(step)

    def lost(self) -> None:
        """Take note that ranks were lost, with whom a pause ends."""
        if self.resting:
            self._close_rest()

    def tend(self, happen: Callable[[int], None]) -> None:
        """Do what is wished, and end a pause whose time is over.

        ``happen`` makes the changes that come before a step.
        """
        if self._live:
            self._hear(self._live, happen)
        if self._until_ns is not None and time.monotonic_ns() >= self._until_ns:
            self._end_rest()

    def _hear(self, live: Live, happen: Callable[[int], None]) -> None:
        """Put what is wished onto the course, and answer."""
        for wish in live.wishes():
            try:
                step = self._put(wish.event)
            except FileError as error:
                live.refuse(wish, str(error))
                continue
            live.grant(wish, step)
            if self.resting:
                happen(self._course.next_step)
            if "resume" in wish.event and self.resting:
                self._until_ns = 0

    def _put(self, event: dict[str, Any]) -> int:
        """Put an event onto the course; return its step. Raises FileError where it cannot be."""
        if event == {"resume": True}:
            return self._resume()
        if event == {"finish": True}:
            step = min(self._soonest(), self._course.end)
            return self._commit(step, lambda at: ended(self._course.scenario, at), self._finish)
        if "restore" in event and (at := self._restore(event["restore"])) is not None:
            return at
        if event.get("pause") is not True:
            return self._put_event(event)
        if self.resting or self._open is not None:
            raise FileError("pause: training is paused already; resume it first")
        step = self._put_event({**event, "pause": "0 s"})
        self._open = sum(pause.step <= step for pause in self._course.twin.pauses) - 1
        return step

    def _put_event(self, event: dict[str, Any]) -> int:
        step = self._soonest(pauses="pause" in event)

        def changed(at: int) -> Scenario:
            return with_event(self._course.scenario, event, at)

        if not is_halt(event):
            self._course.change(*self._checked(changed(step)))
            return step
        return self._commit(step, changed, self._keep if "pause" in event else self._end_leg)

    def _restore(self, target: str) -> int | None:
        """Bring back at once what is down; on the timeline, its failure then had an end.

        None where no failure came before the step under way: that step ends, and the next one
        comes, before which things are restored like everything else.
        """
        course, step = self._course, self._course.next_step
        before, scenario = course.twin.changes, course.scenario
        stalled = any(it.kind == "fail" and it.whole and it.step == step for it in before)
        number = open_failure(scenario, target, step)
        if self.resting or not stalled or number is None:
            return None
        failed_step = scenario.timeline[number].at
        failures = (it for it in self._record.events if it["kind"] == "fail")
        failed_ns = next(it["at_ns"] for it in failures if it["step"] == failed_step)
        lasted_ns = real_ns(time.monotonic_ns() - failed_ns, scenario.emulate.time)
        scenario, twin = self._checked(with_failure_of(scenario, number, lasted_ns))
        pairs = zip(before, twin.changes, strict=True)
        now = {was.span: (was, it) for was, it in pairs if was.step <= step}  # each span's last
        states = {span: it.usual for span, (was, it) in now.items() if was.whole and not it.whole}
        if not states:
            return None  # something else has brought it back
        course.change(scenario, twin)
        self._network.set_spans(states)
        self._session.states[-1] = self._session.states[-1] | states
        for span, state in states.items():
            told = {"step": step, "target": span, "upgrade": None}
            self._record.event("restore", **told, state=asdict(state))
        return step

    def _soonest(self, *, pauses: bool = False) -> int:
        """Return the step before which something new may happen first."""
        course, scenario = self._course, self._course.scenario
        first = course.next_step if self.resting else course.next_step + 1
        reference = scenario.workload.reference_steps
        return soonest(scenario.timeline, reference, first, pauses=pauses)

    def _checked(self, scenario: Scenario) -> tuple[Scenario, Twin]:
        """Return a scenario with its twin; raises FileError where it has none that can run here."""
        try:
            twin = twin_like(scenario, self._course.twin)
        except ValueError as error:
            raise FileError(str(error)) from None
        for state in twin.states:
            if fault := self._network.impairer.unable(state):
                raise FileError(fault)
        return scenario, twin

    def _commit(
        self, step: int, changed: Callable[[int], Scenario], then: Callable[[int], None]
    ) -> int:
        """Stop all ranks before a step or the first later one that they can; change the course."""
        scenario, twin = self._checked(changed(step))
        firm = self._halt(step)
        if firm != step:
            try:
                scenario, twin = self._checked(changed(firm))
            except FileError:
                self._hold_next(self._course.next_step)
                raise
        self._course.change(scenario, twin)
        then(firm)
        return firm

    def _halt(self, step: int) -> int:
        """Let all ranks wait before a step that none has begun, this or a later; return it."""
        if self.resting and step == self._course.next_step:
            return step
        if self._held is not None and self._held <= step:
            return step  # they wait there, at the latest
        while step < self.leg.end:
            begun = self._training.hold(step)
            if begun < step:
                self._held = step
                return step
            step = begun + 1
        return step

    def _keep(self, step: int) -> None:
        """Let ranks wait there."""

    def _end_leg(self, step: int) -> None:
        """Let the leg end before a step that no rank has begun."""
        if step < self.leg.end:
            self.leg = replace(self.leg, end=step)
            self._training.end(step)
            if self._held is not None and self._held >= step:
                self._held = None

    def _finish(self, step: int) -> None:
        """End training before a step, and with it a pause there."""
        if self.resting and step == self._course.next_step:
            self._close_rest()
        self._end_leg(step)

    def _resume(self) -> int:
        """End the pause that is under way, or is to come."""
        if self.resting:
            return self._course.next_step
        if self._open is None:
            raise FileError("resume: training is not paused")
        step = self._course.twin.pauses[self._open].step
        self._open = None
        return step

    def _rest_if_due(self, step: int) -> None:
        pause = self._course.next_pause
        if self.resting or pause is None or pause.step > step:
            return
        self._rest_ns = now_ns = time.monotonic_ns()
        is_open = self._open is not None and self._course.paused == self._open
        self._until_ns = None if is_open else now_ns + pause.lasts_ns
        self._record.event("pause", at_ns=now_ns, step=step, target=RANKS, upgrade=None)

    def _close_rest(self) -> None:
        """Take note of the pause that is over."""
        assert self._rest_ns is not None, "training paused"
        now_ns, step = time.monotonic_ns(), self._course.next_step
        self._session.rests.append(Rest(step, self._rest_ns, now_ns))
        lasted = render(now_ns - self._rest_ns, "duration")
        self._record.event("resume", at_ns=now_ns, step=step, lasted=lasted)
        self._pace.rest(now_ns)
        scenario, number = self._course.scenario, self._course.paused
        by_hand = self._until_ns in (None, 0)
        if by_hand and number < len(self._course.twin.pauses):  # unless training ended with it
            lasted_ns = real_ns(now_ns - self._rest_ns, scenario.emulate.time)
            self._course.change(*self._checked(with_pause(scenario, number, lasted_ns)))
        self._open = None if self._open == number else self._open
        self._course.paused += 1
        self._rest_ns = self._until_ns = None

    def _end_rest(self) -> None:
        """Go on, unless another pause follows at once."""
        self._close_rest()
        self._rest_if_due(self._course.next_step)
        if not self.resting:
            self._hold_next(self._course.next_step)

    def _hold_next(self, step: int) -> None:
        """Let ranks go on from a step to the next pause of their leg."""
        pause = self._course.next_pause
        if pause is not None and step < pause.step < self.leg.end:
            self._training.hold(pause.step)
            self._held = pause.step
        elif self._held is not None:
            self._training.go()
            self._held = None
