"""The strategy ``fp16``."""

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
def fp16(model: nn.Module, job: Job) -> Iterator[Replica]:
    """Average gradients as ddp does, in numbers of 16 bits: half the bytes."""
    import torch.distributed as dist
    from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import fp16_compress_hook

    from workloads.exchange.replica import BucketReplica

    world = dist.group.WORLD
    assert world, "the job has been joined"
    yield BucketReplica(model, job.bucket_bytes, lambda bucket: fp16_compress_hook(world, bucket))
