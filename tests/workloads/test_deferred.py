"""Buckets that wait for the last of them, without a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from workloads.exchange.deferred import Deferred, Future


@dataclass
class Bucket:
    """What a hook asks of `torch.distributed.GradBucket`."""

    number: int
    last: bool

    def is_last(self) -> bool:
        return self.last


class Hook:
    """Notes the order of buckets, and promises what a test keeps."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.promises: list[Future] = []

    def __call__(self, bucket: Any) -> Future:
        self.begun.append(bucket.number)
        self.promises.append(Future())
        return self.promises[-1]


def test_all_begin_in_their_order_when_the_last_is_ready() -> None:
    hook = Hook()
    deferred = Deferred(hook)
    for _ in range(2):  # a step, and the next one
        averaged = [deferred(Bucket(number, last=False)) for number in range(2)]
        assert not hook.begun
        averaged.append(deferred(Bucket(2, last=True)))
        assert hook.begun == [0, 1, 2]
        for number, promise in enumerate(hook.promises):
            promise.set_result(torch.tensor(number))
        assert [int(it.wait()) for it in averaged] == [0, 1, 2]
        hook.begun.clear()
        hook.promises.clear()


def test_an_exchange_that_fails_fails_its_bucket() -> None:
    hook = Hook()
    averaged = Deferred(hook)(Bucket(0, last=True))
    hook.promises[0].set_exception(RuntimeError("connection closed"))  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="connection closed"):
        averaged.wait()
