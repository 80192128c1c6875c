"""An average over several connections at once: a process group for each, and a part of the bucket.

One TCP connection gets what its window and the losses leave it; several get as much each.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from workloads.exchange.replica import Future
from workloads.job import Job


class Parallel:
    """Averages buckets by ring all-reduces side by side."""

    def __init__(self, job: Job, connections: int) -> None:
        """Create the groups, each of all ranks; every rank must do so."""
        self._groups = [
            dist.new_group(timeout=timedelta(seconds=job.timeout_s)) for _ in range(connections)
        ]

    def average(self, bucket: Any) -> Future:
        """Promise the averaged gradients of a bucket (`torch.distributed.GradBucket`)."""
        gradients: torch.Tensor = bucket.buffer().div_(dist.get_world_size())
        parts = gradients.tensor_split(len(self._groups))
        moving = [
            dist.all_reduce(part, group=group, async_op=True).get_future()
            for part, group in zip(parts, self._groups, strict=True)
            if len(part)
        ]
        return torch.futures.collect_all(moving).then(lambda parts: whole(gradients, parts))


def whole(gradients: torch.Tensor, parts: Any) -> torch.Tensor:
    """Return the gradients once all parts have arrived; raises what any of them failed with."""
    for part in parts.value():
        part.value()
    return gradients
