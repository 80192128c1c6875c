"""The strategy ``ddp``."""

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
OPTIONS = {
    "overlap": Option(True, "let buckets meet beside backward; else all meet after it"),
}


@contextmanager
def ddp(model: nn.Module, job: Job, overlap: bool) -> Iterator[Replica]:
    """Average every bucket of gradients over all ranks, in every step, beside backward."""
    import torch.distributed as dist
    from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

    from workloads.exchange.replica import BucketReplica

    world = dist.group.WORLD
    assert world, "the job has been joined"
    yield BucketReplica(
        model, job.bucket_bytes, lambda bucket: allreduce_hook(world, bucket), overlap=overlap
    )
