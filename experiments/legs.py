"""Who trains together, and up to which step: the legs of a run. Pure.

A run is one leg unless campuses leave or join, ranks are lost, or another strategy begins. Each leg
is a job of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import networkx as nx


class Move(NamedTuple):
    """From a step on, a campus takes part in training (``join``), or no longer (``leave``).

    By ``rejoin``, those of its ranks do again that were lost.
    """

    step: int
    kind: str
    campus: str


@dataclass(frozen=True)
class Leg:
    """Ranks that train together up to a step.

    Attributes:
        members: their numbers among all workers.
        end: the step before which it ends as planned.
    """

    members: tuple[int, ...]
    end: int


def planned(sites: Sequence[str], moves: Sequence[Move], step: int) -> list[int]:
    """Return the ranks that should train in a step, given the campus of each.

    A campus that joins first is not there before.
    """
    moves = [move for move in moves if move.kind != "rejoin"]
    first = {move.campus: move.kind for move in reversed(moves)}
    away = {campus for campus, kind in first.items() if kind == "join"}
    for move in moves:
        if move.step <= step:
            (away.add if move.kind == "leave" else away.discard)(move.campus)
    return [rank for rank, site in enumerate(sites) if site not in away]


def leg_from(
    sites: Sequence[str],
    moves: Sequence[Move],
    step: int,
    end: int,
    lost: Collection[int] = (),
    turns: Iterable[int] = (),
) -> Leg:
    """Return the leg that begins at a step, without lost ranks; ``end`` is that of the run.

    ``turns`` are the steps from which on another strategy is trained by.
    """
    members = (rank for rank in planned(sites, moves, step) if rank not in lost)
    ends = (it for it in (*(move.step for move in moves), *turns) if it > step)
    return Leg(tuple(members), min(ends, default=end))


def within_reach(
    sites: Sequence[str], members: Iterable[int], cut_off: Iterable[tuple[str, str]]
) -> list[int]:
    """Return the largest group of ranks none of whose campuses is cut off from another.

    ``cut_off`` are pairs of campuses. Of equal groups, the one with the first rank is taken.
    """
    members = list(members)
    joined: nx.Graph[str] = nx.Graph()
    joined.add_nodes_from(dict.fromkeys(sites[rank] for rank in members))
    apart = {frozenset(pair) for pair in cut_off}
    for pair in combinations(joined.nodes, 2):
        if frozenset(pair) not in apart:
            joined.add_edge(*pair)
    groups = [
        [rank for rank in members if sites[rank] in campuses]
        for campuses in nx.connected_components(joined)
    ]
    return max(groups, key=lambda group: (len(group), -group[0]), default=[])


def counted(records: Sequence[dict[str, Any]], members: Sequence[int]) -> list[dict[str, Any]]:
    """Return the records of steps that count: each as all ranks of a leg first finished it.

    ``members`` says how many ranks each leg has. What was trained again after a loss, and what a
    loss left unfinished, does not count.
    """
    finished: dict[tuple[int, int], int] = {}
    for record in records:
        at = record["step"], record.get("leg", 0)
        finished[at] = finished.get(at, 0) + 1
    first: dict[int, int] = {}
    for step, leg in sorted(finished):
        if finished[step, leg] == members[leg]:
            first.setdefault(step, leg)
    return [record for record in records if first.get(record["step"]) == record.get("leg", 0)]
