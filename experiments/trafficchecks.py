"""Whether the spans carried what the strategy sends, and nothing went wrong in them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from experiments import fidelity
from experiments.coherence import SystemStep
from experiments.exchanges import exchanges_of
from experiments.session import Session
from experiments.traffic import (
    arrivals,
    expected_arrivals,
    expected_run_bytes,
    message_slack,
    routes_by_step,
    routing_slack,
    splitting_slack,
)
from experiments.twin import Twin
from workloads.job import Job


def traffic_checks(
    twin: Twin, job: Job, steps: Sequence[SystemStep], session: Session
) -> list[fidelity.Check]:
    """Compare the spans' counters over a whole training with its exchanges."""
    checks: list[fidelity.Check] = []
    first, last = session.snapshots[0], session.snapshots[-1]
    routed = routes_by_step(session.routes, steps)
    exchanges = exchanges_of(twin, job.strategy, job.options)
    expected = expected_run_bytes(twin, routed, exchanges, job.steps)
    splitting = splitting_slack(twin, routed, exchanges, job.steps)
    rerouting = routing_slack(twin, routed, exchanges)
    messages = message_slack(twin, routed, exchanges, job.steps)
    moved: dict[str, list[float]] = {}
    for span in twin.graph.spans:
        moved[span] = []
        for index, direction in enumerate(("forward", "backward")):
            before, after = first[span][index], last[span][index]
            subject = f"{span} {direction}"
            checks += fidelity.check_counters(subject, before, after)
            moved[span].append(after.delivered_bytes - before.delivered_bytes)
            if expected[span][index] and not session.rerouted:
                slack = sum(of[span][index] for of in (splitting, rerouting, messages))
                checks.append(
                    fidelity.check_bytes(subject, expected[span][index], moved[span][index], slack)
                )
    # Nobody knows what took which way, of several or in the middle of a step.
    if session.rerouted or any(map(any, splitting.values())):
        entered = arrivals(twin.graph, moved)
        for campus, least in expected_arrivals(twin, exchanges, job.steps).items():
            checks.append(fidelity.check_arrivals(campus, least, entered[campus]))
    return checks
