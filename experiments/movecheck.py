"""Whether campuses can leave and join, ranks be lost, and strategies change, as a scenario says."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.legs import Move, planned
from experiments.strategyspec import Chosen
from experiments.timeline import MOVES, TimelineEvent
from workloads import strategies


def moves_of(timeline: Sequence[TimelineEvent]) -> list[Move]:
    """Return which campuses leave and join, in order."""
    return [Move(it.at, it.kind, it.target) for it in timeline if it.kind in MOVES]


def check_moves(
    timeline: Sequence[TimelineEvent],
    sites: Sequence[str],
    recovery: str,
    chosen: Sequence[Chosen],
) -> None:
    """Raise ValueError, located, where not; ``sites`` holds the campus of each rank. Pure."""
    moves = moves_of(timeline)
    _check_pauses(timeline, chosen)
    if not moves and recovery == "none" and len(chosen) == 1:
        return
    for it in chosen:
        if not strategies.declaration(it.strategy.name).resumes:
            resumes = [name for name in strategies.names() if strategies.declaration(name).resumes]
            others = "with other ranks" if len(chosen) == 1 else "from another or hand on to it"
            raise ValueError(
                f"{it.where}: {it.strategy.name} cannot go on {others}, since no rank holds all "
                f"that training goes on from; {', '.join(resumes)} can"
            )
    for index, event in enumerate(timeline):
        if event.kind in MOVES and (fault := _fault(event, moves, sites, recovery)):
            raise ValueError(f"timeline.{index}.{event.kind}: {fault}")
    for step in sorted({0, *(move.step for move in moves), *(it.step for it in chosen)}):
        left = [sites[rank] for rank in planned(sites, moves, step)]
        where, name, options = next(
            (it.where, it.strategy.name, it.strategy.options)
            for it in reversed(chosen)
            if it.step <= step
        )
        if reason := strategies.refuse(name, left, options):
            raise ValueError(
                f"{where}: {name} cannot run from step {step} on, with "
                f"{', '.join(dict.fromkeys(left)) or 'no campus'}: {reason}"
            )


def _check_pauses(timeline: Sequence[TimelineEvent], chosen: Sequence[Chosen]) -> None:
    """Raise ValueError, located, where ranks would not wait for the end of a pause."""
    for index, event in enumerate(timeline):
        if event.pause is None:
            continue
        name = next(it.strategy.name for it in reversed(chosen) if it.step <= event.at)
        if fault := strategies.declaration(name).hurries:
            raise ValueError(f"timeline.{index}.pause: {name} cannot be paused: {fault}")


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
