"""Who asks whom, and when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workloads.requests import arrivals, asked, servers

SITES = ["west", "west", "east", "south", "south"]


def test_requests_go_to_other_campuses_in_turn() -> None:
    assert servers(SITES, 0) == [2, 3, 4]
    assert servers(SITES, 1) == [3, 4, 2]
    assert servers(SITES, 2) == [3, 4, 0, 1]


@given(st.integers(0, 4), st.integers(0, 50))
def test_every_request_is_asked_of_somebody(client: int, requests: int) -> None:
    counts = [asked(SITES, client, server, requests) for server in range(len(SITES))]
    assert sum(counts) == requests
    turn = servers(SITES, client)
    went = [turn[number % len(turn)] for number in range(requests)]
    assert counts == [went.count(server) for server in range(len(SITES))]


@given(st.integers(0, 2**32 - 1), st.integers(0, 99), st.integers(0, 99), st.integers(1, 50))
def test_arrivals_lie_in_the_window_and_are_those_of_the_seed(
    seed: int, rank: int, window: int, requests: int
) -> None:
    found = arrivals(seed, rank, window, requests)
    assert found == sorted(found) and len(found) == requests
    assert found[0] >= 0 and found[-1] < 1
    assert found == arrivals(seed, rank, window, requests)
    assert found != arrivals(seed, rank, window + 1, requests)


def test_arrivals_are_uniform() -> None:
    """By Kolmogorov and Smirnov: the distance exceeds 1.95 / sqrt(n) once in 1,000 seeds."""
    found = sorted(it for window in range(400) for it in arrivals(7, 3, window, 10))
    distances = [abs(it - (number + 0.5) / len(found)) for number, it in enumerate(found)]
    assert max(distances) < 1.95 / len(found) ** 0.5
