"""Whether campuses can leave and join, and ranks be lost, as a scenario says. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.legs import Move, planned
from experiments.timeline import MOVES, TimelineEvent
from workloads import strategies
from workloads.strategies import Options


def check_moves(
    timeline: Sequence[TimelineEvent],
    sites: Sequence[str],
    recovery: str,
    strategy: str,
    options: Options,
) -> None:
    """Raise ValueError, located, where not; ``sites`` holds the campus of each rank."""
    moves = [Move(it.at, it.kind, it.target) for it in timeline if it.kind in MOVES]
    if not moves and recovery == "none":
        return
    if not strategies.declaration(strategy).resumes:
        resumes = [name for name in strategies.names() if strategies.declaration(name).resumes]
        raise ValueError(
            f"workload.strategy: {strategy} cannot go on with other ranks, since none holds all "
            f"that training goes on from; {', '.join(resumes)} can"
        )
    for index, event in enumerate(timeline):
        if event.kind in MOVES and (fault := _fault(event, moves, sites, recovery)):
            raise ValueError(f"timeline.{index}.{event.kind}: {fault}")
    for step in (0, *(move.step for move in moves)):
        left = [sites[rank] for rank in planned(sites, moves, step)]
        if reason := strategies.refuse(strategy, left, options):
            raise ValueError(
                f"workload.strategy: {strategy} cannot run from step {step} on, with "
                f"{', '.join(dict.fromkeys(left)) or 'no campus'}: {reason}"
            )


def _fault(
    event: TimelineEvent, moves: Sequence[Move], sites: Sequence[str], recovery: str
) -> str | None:
    """Say why a campus cannot move so."""
    if event.kind == "rejoin":
        if recovery == "continue":
            return None
        return (
            "needs workload.recovery: continue, which leaves lost ranks out until then; it is "
            f"{recovery}"
        )
    there = {sites[rank] for rank in planned(sites, moves, event.at - 1)}
    if (event.target in there) == (event.kind == "leave"):
        return None
    state = "takes part already" if event.kind == "join" else "does not take part then"
    return f"{event.target} {state}"
