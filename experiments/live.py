"""A run that listens while it trains: it tells what it does, and hears what is wished of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from experiments.course import Course
from experiments.fidelity import Check, verdict
from experiments.record import Record
from experiments.session import Observer
from experiments.steering import ended, session_yaml
from experiments.wishes import Wish, Wishes
from topologies.errors import NetworkError

HEAR_S, JUDGE_S = 0.1, 1.0
"""How often wishes are read, and the verdict so far is told."""
JUDGE_SHARE = 0.02
"""Of a processor, that judging may take: it looks back on the whole session."""
SESSION = "session.yaml"


class Live:
    """Tells an observer and ``live.jsonl`` what goes on; takes wishes, and answers each."""

    def __init__(self, observer: Observer, record: Record, before: Sequence[Check] = ()) -> None:
        """Take who watches besides, the run's record, and the checks that were made before."""
        self._observer, self._record, self._before = observer, record, before
        self._wishes = Wishes(record.folder)
        self._waiting: deque[Wish] = deque()
        self._heard_ns = self._judge_ns = 0

    def begin(self, steps: int) -> None:
        """Pass on that a run begins."""
        self._observer.begin(steps)

    def stage(self, text: str) -> None:
        """Tell what the run does now."""
        self._observer.stage(text)
        self._record.live("stage", text=text)

    def step(self, step: int, phase: str, step_ms: float, coherence: float | None) -> None:
        """Tell that all ranks finished a step."""
        self._observer.step(step, phase, step_ms, coherence)
        known = None if coherence is None else round(coherence, 4)
        self._record.live(
            "step", step=step, phase=phase, step_ms=round(step_ms, 3), coherence=known
        )

    def judge(self, checks: Callable[[], Sequence[Check]]) -> None:
        """Tell the verdict so far, where it is time to."""
        begin_ns = time.monotonic_ns()
        if begin_ns < self._judge_ns:
            return
        found = verdict([*self._before, *checks()])
        self._record.live("verdict", verdict=found["verdict"], reasons=found["reasons"])
        took_ns = time.monotonic_ns() - begin_ns
        self._judge_ns = begin_ns + max(round(JUDGE_S * 1e9), round(took_ns / JUDGE_SHARE))

    def wishes(self) -> Iterator[Wish]:
        """Yield what is wished and was not answered yet; lines that hold no wish are refused."""
        now_ns = time.monotonic_ns()
        if now_ns - self._heard_ns >= HEAR_S * 1e9:
            self._heard_ns = now_ns
            self._waiting.extend(self._wishes.new())
        while self._waiting:
            wish = self._waiting.popleft()
            if wish.fault is None:
                yield wish
            else:
                self.refuse(wish, wish.fault)

    def grant(self, wish: Wish, step: int) -> None:
        """Answer that a wish comes true before a step."""
        self._record.event("wish", id=wish.id, at=f"step {step}", event=wish.event)

    def refuse(self, wish: Wish, reason: str) -> None:
        """Answer why a wish does not come true."""
        self._record.event("wish refused", id=wish.id, reason=reason)

    def close(self, course: Course, status: str) -> None:
        """Refuse what comes too late; write the session as a scenario, if it got so far."""
        self._heard_ns = 0
        for wish in self.wishes():
            self.refuse(wish, "training is over")
        try:
            whole = status == "finished"
            session = course.scenario if whole else ended(course.scenario, course.next_step)
            self._record.write(SESSION, session_yaml(session))
        except NetworkError as error:
            self._record.event("session not saved", reason=str(error))
