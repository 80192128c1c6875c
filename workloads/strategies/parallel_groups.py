"""The strategy ``parallel-groups``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workloads.option import Option

if TYPE_CHECKING:
    from torch import nn

    from workloads.exchange.replica import Replica
    from workloads.job import Job

SYNCHRONOUS = True
RESUMES = True
OPTIONS = {"connections": Option(4, "between each pair of ring neighbours", least=1, most=64)}


@contextmanager
def parallel_groups(model: nn.Module, job: Job, connections: int) -> Iterator[Replica]:
    """Average as ddp does, each bucket in parts over several connections at once."""
    from workloads.exchange.parallel import Parallel
    from workloads.exchange.replica import BucketReplica

    yield BucketReplica(model, job.bucket_bytes, Parallel(job, connections).average)
