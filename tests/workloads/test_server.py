"""The parameter server by itself: threads, and no network."""

from __future__ import annotations

import threading

import pytest
import torch

from workloads.exchange.server import ParameterServer, Pulled


def server(workers: int = 2, staleness: int = 1, timeout_s: float = 20.0) -> ParameterServer:
    return ParameterServer(torch.zeros(2), workers, 0.5, staleness, timeout_s)


def test_each_gradient_counts_by_the_rate_over_all_workers() -> None:
    it = server()
    assert it.exchange(0, torch.tensor([1.0, 2.0])).values.tolist() == [-0.25, -0.5]
    pulled = it.exchange(1, torch.tensor([1.0, 0.0]))
    assert pulled.values.tolist() == [-0.5, -0.5]
    assert (pulled.pushed, pulled.version) == (2, 2)


def test_what_was_pulled_does_not_change_any_more() -> None:
    it = server()
    first = it.exchange(0, torch.ones(2))
    it.exchange(1, torch.ones(2))
    assert first.values.tolist() == [-0.25, -0.25]


def test_who_is_too_far_ahead_goes_on_when_the_slowest_has_come() -> None:
    it = server()
    it.exchange(0, torch.ones(2))
    found: list[Pulled] = []
    ahead = threading.Thread(target=lambda: found.append(it.exchange(0, torch.ones(2))))
    ahead.start()
    ahead.join(0.1)
    assert not found, "two steps ahead of a worker that has made none"
    it.exchange(1, torch.ones(2))
    ahead.join(20)
    assert [(pulled.pushed, pulled.version) for pulled in found] == [(2, 3)]


def test_who_waits_too_long_says_for_whom() -> None:
    it = server(staleness=0, timeout_s=0.01)
    with pytest.raises(RuntimeError, match=r"worker 0 waited .* for worker 1"):
        it.exchange(0, torch.ones(2))


def test_a_failure_ends_every_exchange() -> None:
    it = server(staleness=0)
    caught: list[BaseException] = []

    def push() -> None:
        try:
            it.exchange(0, torch.ones(2))
        except RuntimeError as error:
            caught.append(error)

    waiting = threading.Thread(target=push)
    waiting.start()
    it.fail(ConnectionError("gone"))
    waiting.join(20)
    assert [type(error.__cause__) for error in caught] == [ConnectionError]
    with pytest.raises(RuntimeError, match="server failed"):
        it.exchange(1, torch.ones(2))
