"""Who asks whom, and when: requests between campuses as a Poisson process. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

NUMBER_BYTES = 8
"""With which every request and every answer begins: the request's number."""


def arrivals(seed: int, rank: int, window: int, requests: int) -> list[float]:
    """Return when a rank's requests arrive in a window, in shares of its length, in order.

    Given how many there are, the arrivals of a Poisson process are uniform and independent; so
    every window holds as many. Source: Kingman, Poisson Processes, 1993, section 2.4.
    """
    random = Random(f"{seed} {rank} {window}")
    return sorted(random.random() for _ in range(requests))


def servers(sites: Sequence[str], rank: int) -> list[int]:
    """Return the ranks that a rank sends requests to, in turn: those of all other campuses.

    Each rank begins with another one, so that not all ask the same first.
    """
    others = [number for number, site in enumerate(sites) if site != sites[rank]]
    begin = rank % len(others)
    return others[begin:] + others[:begin]


def asked(sites: Sequence[str], client: int, server: int, requests: int) -> int:
    """Return how many of a rank's first ``requests`` go to another one."""
    turn = servers(sites, client)
    if server not in turn:
        return 0
    return len(range(turn.index(server), requests, len(turn)))
