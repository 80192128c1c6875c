"""The strategy ``hierarchical``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from workloads.exchange.replica import Replica
    from workloads.job import Job

SYNCHRONOUS = True
RESUMES = True


@contextmanager
def hierarchical(model: nn.Module, job: Job) -> Iterator[Replica]:
    """Let every bucket meet inside each campus first, so that it crosses each span once."""
    from workloads.exchange.hierarchy import Hierarchy
    from workloads.exchange.replica import BucketReplica

    hierarchy = Hierarchy(job)
    try:
        yield BucketReplica(model, job.bucket_bytes, hierarchy.average)
    finally:
        hierarchy.close()
