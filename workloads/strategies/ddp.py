"""Distributed data parallel: every gradient bucket is all-reduced over all ranks, every step."""

# No deferred annotations here: DistributedDataParallel checks those of a communication hook.
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.parallel import DistributedDataParallel

from workloads.job import Job


class DdpReplica:
    """A model under DistributedDataParallel that notes when its first bucket leaves."""

    def __init__(self, model: nn.Module, bucket_bytes: int) -> None:
        """Wrap ``model``; its parameters are broadcast from rank 0."""
        self.first_communication_ns = 0
        self.module = DistributedDataParallel(
            model, bucket_cap_mb=bucket_bytes / 2**20, gradient_as_bucket_view=True
        )
        self.module.register_comm_hook(dist.group.WORLD, self._all_reduce)

    def begin_step(self) -> None:
        """Forget the last step's times."""
        self.first_communication_ns = 0

    def _all_reduce(
        self,
        group: dist.ProcessGroup,
        bucket: dist.GradBucket,  # type: ignore[name-defined]
    ) -> torch.futures.Future[torch.Tensor]:
        if not self.first_communication_ns:
            self.first_communication_ns = time.monotonic_ns()
        return allreduce_hook(group, bucket)


@contextmanager
def ddp(model: nn.Module, job: Job) -> Iterator[DdpReplica]:
    """Train ``model`` with overlapped all-reduces in buckets of ``job.bucket_bytes``."""
    yield DdpReplica(model, job.bucket_bytes)
