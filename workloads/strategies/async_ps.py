"""The strategy ``async-ps``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workloads.option import Option

if TYPE_CHECKING:
    from torch import nn

    from workloads.exchange.replica import Replica
    from workloads.job import Job

SYNCHRONOUS = False
HURRIES = "its server counts the steps of each worker, and waits for none beyond workload.timeout"
OPTIONS = {
    "staleness": Option(4, "steps that a worker may be ahead of the slowest before it waits"),
}


@contextmanager
def async_ps(model: nn.Module, job: Job, staleness: int) -> Iterator[Replica]:
    """Push gradients to a parameter server on rank 0, pull parameters, wait for no other worker."""
    from workloads.exchange.asynchronous import AsynchronousReplica

    yield AsynchronousReplica(model, job, staleness)
