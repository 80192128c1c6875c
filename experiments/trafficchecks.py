"""Whether the spans carried what the strategy sends, and nothing went wrong in them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from experiments import fidelity
from experiments.coherence import system_steps
from experiments.exchanges import exchanges_of
from experiments.session import LegRun, Session
from experiments.traffic import (
    Routes,
    arrivals,
    expected_arrivals,
    expected_run_bytes,
    message_slack,
    routes_by_step,
    routing_slack,
    splitting_slack,
)
from experiments.twin import Twin

Ways = defaultdict[str, list[float]]
"""Bytes over each span, by direction."""
UNFINISHED_STEPS = 2
"""How much may have been sent beyond the last step that all ranks of a leg finished, where ranks
were lost: one of them may be in the next step but one."""


def traffic_checks(
    twin: Twin, records: Sequence[dict[str, Any]], session: Session
) -> list[fidelity.Check]:
    """Compare the spans' counters over all legs of a training with their exchanges."""
    expected, slack, moved = _nothing(), _nothing(), _nothing()
    least: dict[str, float] = defaultdict(float)
    split = False
    for number, leg in enumerate(session.legs):
        own = [record for record in records if record.get("leg", 0) == number]
        steps = system_steps(own, session.ranks)
        trained = range(leg.first_step, steps[-1].step + 1 if steps else leg.first_step)
        exchanges = exchanges_of(twin, leg.strategy, leg.options, leg.members)
        routed = routes_by_step(_in_force(session, leg), steps)
        splitting = splitting_slack(twin, routed, exchanges, trained)
        split |= any(map(any, splitting.values()))
        _add(expected, expected_run_bytes(twin, routed, exchanges, trained))
        _add(slack, splitting)
        _add(slack, routing_slack(twin, routed, exchanges))
        _add(slack, message_slack(twin, routed, exchanges, trained))
        if leg.fault:
            begun = range(trained.stop, trained.stop + UNFINISHED_STEPS)
            _add(slack, expected_run_bytes(twin, routed, exchanges, begun))
        _add(moved, _carried(leg))
        for campus, arriving in expected_arrivals(twin, exchanges, trained).items():
            least[campus] += arriving
    checks: list[fidelity.Check] = []
    first, last = session.snapshots[0], session.snapshots[-1]
    for span in twin.graph.spans:
        for index, direction in enumerate(("forward", "backward")):
            subject = f"{span} {direction}"
            checks += fidelity.check_counters(subject, first[span][index], last[span][index])
            if expected[span][index] and not session.rerouted:
                figures = (of[span][index] for of in (expected, moved, slack))
                checks.append(fidelity.check_bytes(subject, *figures))
    # Nobody knows what took which way, of several or in the middle of a step.
    if session.rerouted or split:
        entered = arrivals(twin.graph, moved)
        checks += [fidelity.check_arrivals(it, least[it], entered[it]) for it in entered]
    return checks


def _in_force(session: Session, leg: LegRun) -> list[tuple[int, Routes]]:
    """Return the routes that a leg trained by, the first of which may be older than it."""
    follows = [it.begin_ns for it in session.legs if it.begin_ns > leg.begin_ns]
    until_ns = min(follows, default=2**63)
    begun = [it for it in session.routes if it[0] < until_ns]
    older = sum(at_ns <= leg.begin_ns for at_ns, _ in begun)
    return begun[max(0, older - 1) :]


def _nothing() -> Ways:
    return defaultdict(lambda: [0.0, 0.0])


def _add(total: Ways, more: Mapping[str, Sequence[float]]) -> None:
    for span, ways in more.items():
        for way, moved in enumerate(ways):
            total[span][way] += moved


def _carried(leg: LegRun) -> dict[str, list[float]]:
    """Return what each span delivered while a leg trained."""
    assert leg.ended, "it is over"
    return {
        span: [
            float(after.delivered_bytes - before.delivered_bytes)
            for before, after in zip(leg.begun[span], ended, strict=True)
        ]
        for span, ended in leg.ended.items()
    }
