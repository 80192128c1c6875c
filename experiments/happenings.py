"""Changes of spans, of routing and of who trains, made between two steps; each begins a phase."""

from __future__ import annotations

import time
from dataclasses import asdict
from itertools import groupby
from typing import Any

from experiments.changes import Change
from experiments.network import Network
from experiments.record import Record
from experiments.session import Session
from experiments.timeline import DONE, ROUTING
from experiments.training import Training
from experiments.twin import Action, Twin
from topologies.linkstate import Duplex

Happenings = list[Change | Action]


def planned_happenings(twin: Twin) -> list[Happenings]:
    """Return what happens in a run, in order, and together what comes before the same step.

    Pauses change nothing, and are left out.
    """
    actions = [action for action in twin.actions if action.kind != "pause"]
    everything: Happenings = sorted([*twin.changes, *actions], key=lambda it: it.step)
    return [list(group) for _, group in groupby(everything, key=lambda it: it.step)]


def apply(
    happenings: Happenings,
    twin: Twin,
    network: Network,
    training: Training,
    record: Record,
    session: Session,
) -> None:
    """Change spans, routing and ranks all at once, and begin the phase that is named after it."""
    counters, change_ns = network.counters(), time.monotonic_ns()
    changes = [it for it in happenings if isinstance(it, Change)]
    actions = [it for it in happenings if isinstance(it, Action)]
    states = {change.span: change.emulated for change in changes}
    if states:
        network.set_spans(states)
    for action in actions:
        if action.kind in ROUTING:
            network.act(action)
            counters = network.counters()  # until now, traffic went the old way
    begin_ns = time.monotonic_ns()
    aged_ns = session.phases[1].begin_ns if len(session.phases) > 1 else begin_ns
    # Of several changes of a span, the last one holds.
    for change in {change.span: change for change in changes}.values():
        if replay := twin.replay_of(change, begin_ns - aged_ns):
            network.replay(change.span, replay, begin_ns)
            record.event("replay", span=change.span, at_ns=begin_ns, changes=_offsets(replay))
    reference = any(change.kind == "reference" for change in changes)
    name = _phase_name(changes, actions)
    states = session.states[-1] | states
    session.begin(name, states, counters, reference=reference, change_ns=change_ns)
    session.routed(network)
    for action in actions:
        if action.kind == "kill":
            training.kill([host.name for host in twin.graph.workers].index(action.target))
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


def _phase_name(changes: list[Change], actions: list[Action]) -> str:
    """Name a phase after what began it; at first all spans age at once."""
    if changes and all(change.kind == "age" and change.first for change in changes):
        return "aged"
    if own := [change.phase for change in changes if change.phase]:
        return own[-1]
    done = {(change.kind, change.span) for change in changes}
    done |= {(action.kind, action.target) for action in actions}
    kinds = {kind for kind, _ in done}
    if kinds == {"policy"}:
        return f"routing by {actions[-1].target}"
    targets = " and ".join(dict.fromkeys(target for _, target in sorted(done)))
    return f"{targets} {DONE[kinds.pop()] if len(kinds) == 1 else 'changed'}"


def _offsets(replay: list[tuple[int, Duplex]]) -> list[dict[str, Any]]:
    """Return what a replay holds, for the record: seconds, and whether the span then works."""
    return [
        {"after_s": round(offset_ns / 1e9, 6), "up": all(way.up for way in duplex.ways)}
        for offset_ns, duplex in replay
    ]
