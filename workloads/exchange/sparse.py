"""An average of the largest gradients: every rank gathers the indices and values of all."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.distributed as dist


class Sparse:
    """Averages buckets by their largest values (by magnitude), with error feedback.

    8 k bytes, for k indices and values, go round a ring to each of the others. All ranks add what
    they gathered in the order of ranks, so that replicas stay bit-identical.
    """

    def __init__(self, density: float) -> None:
        """Send that share of each bucket, one value at least."""
        self._density = density
        self._unsent: dict[int, torch.Tensor] = {}

    def average(self, bucket: Any) -> torch.Tensor:
        """Average a bucket (`torch.distributed.GradBucket`) in place."""
        gradients: torch.Tensor = bucket.buffer()
        unsent = self._unsent.get(bucket.index())
        if unsent is not None and len(unsent) == len(gradients):  # buckets change after one step
            gradients += unsent
        count = math.ceil(self._density * len(gradients))
        chosen = gradients.abs().topk(count).indices
        packet = torch.cat([chosen.to(torch.int32), gradients[chosen].view(torch.int32)])
        self._unsent[bucket.index()] = gradients.index_fill(0, chosen, 0.0)
        ranks = dist.get_world_size()
        packets = torch.empty(ranks * len(packet), dtype=torch.int32)
        dist.all_gather_single(packets, packet)
        gradients.zero_()
        for indices, values in packets.view(ranks, 2, count):
            gradients.index_add_(0, indices, values.view(torch.float32) / ranks)
        return gradients
