"""A run folder's lines, made into what the page shows. Pure.

Every item is a list of its kind, the seconds of the run's clock and what belongs to the kind:

- ``rank``: rank, step, ms, of which ms computed, ms of exposed communication
- ``step``: step, phase or null, ms, coherence or null
- ``flow``: span, way (0 forward), bit/s of the real system, share of its rate, shares of frames
  that the line lost, that full queues dropped and that met a span that is down, bytes queued and
  what share of the queue that is
- ``state``: span, both ways' state of the real system
- ``up``: span, whether it works
- ``phase``: name; ``event``: step or null, sentence; ``stage``: sentence
- ``verdict``: verdict, reasons
- ``wish``: id, ``pending``, ``accepted`` or ``refused``, sentence, when or why
- ``upgrades``: span, the name and summary of each that fits
- ``routing``: policy; ``strategy``: name; ``paused``: whether

Spans are numbered as in `Facts.spans`, ranks as everywhere.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any

from experiments.coherence import PhasePlan
from experiments.dashboard.choices import Alterations
from experiments.dashboard.facts import Facts, state_told
from experiments.dashboard.flow import Flow
from experiments.dashboard.paces import Paces
from experiments.dashboard.wording import is_happening, phase_name, sentence, wish_sentence
from topologies.linkstate import LinkState, Loss

Line = Mapping[str, Any]
Item = list[Any]
FIRST = PhasePlan("reference", 0, reference=True)
WAYS = ("forward", "backward")
AGED = "the reference is over: every span is now what the scenario says"
OF_ONE_CHANGE_S = 0.5
"""Between the lines of a change, of which the first says what a span will do by itself."""


class Digest:
    """Takes lines in the order of their times; gives items."""

    def __init__(self, facts: Facts) -> None:
        """Begin with a run of which nothing but its manifest is known."""
        self._facts = facts
        self._spans = {name: index for index, name in enumerate(facts.spans)}
        self._altered = Alterations(facts.scenario)
        self._paces = Paces()
        self._flows: dict[tuple[int, int], Flow] = {}
        self._states = dict.fromkeys(facts.spans, facts.twin.reference.ways)
        self._phase, self._began, self._phases = FIRST, list[Line](), 0
        self._strategy = facts.scenario.workload.strategy.name
        self._answered: set[str] = set()
        self._coming: list[tuple[float, int, bool]] = []
        self._replayed_s: dict[int, float] = {}
        self._origin_ns: int | None = None
        self._items: list[Item] = []
        self._now_s = 0.0

    def items(self) -> list[Item]:
        """Return the items since the last call."""
        found, self._items = self._items, []
        return found

    def moment_s(self, kind: str, line: Line) -> float | None:
        """Return when a line was, in seconds of the run, or None before its clock is known."""
        if "t_s" in line:
            if self._origin_ns is None and "at_ns" in line:
                self._origin_ns = line["at_ns"] - round(line["t_s"] * 1e9)
            return float(line["t_s"])
        at_ns = line["end_ns"] if kind == "steps" else line.get("at_ns")
        if at_ns is None or self._origin_ns is None:
            return None
        return float(round((at_ns - self._origin_ns) / 1e9, 4))

    def take(self, kind: str, line: Line, at_s: float) -> None:
        """Take a line of the file of that name."""
        while self._coming and self._coming[0][0] <= at_s:
            then_s, span, up = heapq.heappop(self._coming)
            self._give("up", then_s, span, up)
        self._now_s = max(self._now_s, at_s)
        match kind:
            case "steps":
                self._rank_step(line, at_s)
            case "spans":
                self._sample(line, at_s)
            case "live":
                self._live(line, at_s)
            case "events":
                self._event(line, at_s)
            case "wishes":
                if line["id"] not in self._answered:
                    self._wish(at_s, line, "pending", "")

    def _give(self, kind: str, at_s: float, *rest: Any) -> None:
        self._items.append([kind, round(at_s, 3), *rest])

    def _rank_step(self, line: Line, at_s: float) -> None:
        lasted_ms = (line["end_ns"] - line["start_ns"]) / 1e6
        computed_ms = line["compute_ns"] / 1e6
        exposed_ms = line["exposed_communication_ns"] / 1e6
        spent = (round(ms, 1) for ms in (lasted_ms, computed_ms, exposed_ms))
        self._give("rank", at_s, line["rank"], line["step"], *spent)
        if self._facts.listens:
            return
        leg, step = line.get("leg", 0), line["step"]
        if pace := self._paces.ended(leg, step, line["end_ns"], self._phase):
            step_ms, coherence = pace
            told = None if coherence is None else round(coherence, 4)
            self._give("step", at_s, step, None, round(step_ms, 1), told)

    def _sample(self, line: Line, at_s: float) -> None:
        span, way = self._spans.get(line["span"]), WAYS.index(line["direction"])
        if span is None:
            return
        found = self._flows.setdefault((span, way), Flow()).take(line)
        if not found:
            return
        state, scale = self._states[line["span"]][way], self._facts.scenario.emulate
        shares = (round(found[name], 6) for name in ("lost", "dropped", "down"))
        self._give(
            "flow",
            at_s,
            span,
            way,
            round(found["bps"] * scale.time / scale.bytes),
            round(found["bps"] / state.rate_bps, 3),
            *shares,
            found["queued_bytes"],
            round(found["queued_bytes"] / state.queue_limit_bytes, 3),
        )

    def _live(self, line: Line, at_s: float) -> None:
        kind = line["kind"]
        if kind == "stage":
            self._give("stage", at_s, line["text"])
        elif kind == "verdict":
            self._give("verdict", at_s, line["verdict"], list(line["reasons"]))
        elif kind == "step" and line["step_ms"]:  # the first one has no beginning
            coherence = line["coherence"]
            told = None if coherence is None else round(coherence, 4)
            self._give("step", at_s, line["step"], line["phase"], round(line["step_ms"], 1), told)

    def _event(self, line: Line, at_s: float) -> None:
        kind = line["kind"]
        said = sentence(line)
        first = not self._began or self._began[0]["at_ns"] == line.get("at_ns")
        if kind == "age" and first and not self._phases:
            said = None if self._began else AGED  # of all spans at once
        if said:
            self._give("event", at_s, line.get("step"), said)
        if is_happening(line):
            self._happening(line, at_s)
        elif kind == "training started":
            self._paces.started(len(line["ranks"]))
        elif kind == "replay":
            span = self._spans[line["span"]]
            self._forget(span)
            self._replayed_s[span] = at_s
            for change in line["changes"]:
                heapq.heappush(self._coming, (at_s + change["after_s"], span, change["up"]))
        elif kind == "wish":
            if words := str(line.get("at", "")).removeprefix("step "):
                step = int(words) if words.isdigit() else 0
                self._altered.wished(line["event"], step)
            self._wish(at_s, line, "accepted", str(line.get("at", "")))
        elif kind == "wish refused":
            self._wish(at_s, line, "refused", str(line.get("reason", "")))
        elif kind in ("pause", "resume"):
            self._give("paused", at_s, kind == "pause")
            self._paces.rested(line["at_ns"])

    def _wish(self, at_s: float, line: Line, status: str, why: str) -> None:
        if status != "pending":
            self._answered.add(line["id"])
        said = wish_sentence(line["event"]) if isinstance(line.get("event"), dict) else ""
        self._give("wish", at_s, line["id"], status, said, why)

    def _happening(self, line: Line, at_s: float) -> None:
        """Take a change of the network or of who trains; those of one moment begin one phase."""
        if self._began and self._began[0]["at_ns"] != line["at_ns"]:
            self._began, self._phases = [], self._phases + 1
        self._began = [*self._began, line]
        kind, target = line["kind"], str(line["target"])
        self._strategy = target if kind == "strategy" else self._strategy
        name = phase_name(self._began, self._strategy, first=not self._phases)
        reference = any(event["kind"] == "reference" for event in self._began)
        self._phase = PhasePlan(name, line["at_ns"], reference)
        self._give("phase", at_s, name)
        if kind in ("policy", "strategy"):
            self._give("routing" if kind == "policy" else kind, at_s, target)
        if target not in self._spans:
            return
        index = self._spans[target]
        if "state" in line:
            forward, backward = (_state_of(line["state"][way]) for way in WAYS)
            self._states[target] = forward, backward
            if at_s - self._replayed_s.get(index, -1.0) > OF_ONE_CHANGE_S:
                self._forget(index)
            told = [state_told(self._facts, state) for state in self._states[target]]
            self._give("state", at_s, index, told)
        if self._altered.happened(kind, target, line["step"], line.get("upgrade")):
            self._give("upgrades", at_s, index, self._altered.fitting(target))

    def _forget(self, span: int) -> None:
        """Expect no more outages of a span from a replay: another state has ended it."""
        self._coming = [it for it in self._coming if it[1] != span]
        heapq.heapify(self._coming)


def _state_of(told: Line) -> LinkState:
    """Return one direction's state as an event tells it, as far as the page shows it."""
    loss = {key: value for key, value in told["loss"].items() if key != "frame_bytes"}
    names = ("rate_bps", "delay_ns", "mtu", "up", "queue_bytes", "queue_packets")
    return LinkState(loss=Loss(**loss), **{name: told[name] for name in names})
