"""An average in eight bits: each rank averages a slice of a bucket, then all gather them."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist

LEVELS = 127
"""The largest of the symmetric levels, so that zero stays zero."""
SCALE_BYTES = 4


def packed(values: torch.Tensor) -> torch.Tensor:
    """Return floats as bytes: a scale, then the nearest of 255 levels for each."""
    scale = values.abs().max() / LEVELS
    levels = torch.zeros_like(values) if scale == 0 else (values / scale).round_()
    levels.clamp_(-LEVELS, LEVELS)  # the least of floats do not divide well
    return torch.cat([scale.reshape(1).view(torch.uint8), levels.to(torch.int8).view(torch.uint8)])


def unpacked(packet: torch.Tensor) -> torch.Tensor:
    """Return the floats that a packet stands for."""
    scale = packet[:SCALE_BYTES].clone().view(torch.float32)
    return packet[SCALE_BYTES:].view(torch.int8) * scale


class Quantised:
    """Averages buckets in eight bits, there and back.

    A slice of each bucket goes to each rank (all to all), which averages what all sent in 32 bits
    and hands that out in eight again (all gather). 2 (n - 1) / n bytes leave each rank for a float,
    where a ring all-reduce of 32 bits moves four times as many. Every rank reads the same packets,
    its own among them, so that replicas stay bit-identical.
    """

    def __init__(self, feedback: bool) -> None:
        """Carry rounding errors over to the next step where ``feedback`` says so."""
        self._feedback = feedback
        self._errors: dict[int, torch.Tensor] = {}

    def average(self, bucket: Any) -> torch.Tensor:
        """Average a bucket (`torch.distributed.GradBucket`) in place."""
        gradients: torch.Tensor = bucket.buffer()
        ranks = dist.get_world_size()
        size = -(-len(gradients) // ranks)
        padded = torch.zeros(ranks * size)
        padded[: len(gradients)] = gradients
        error = self._errors.get(bucket.index())
        if error is not None and len(error) == len(padded):  # buckets change after the first step
            padded += error
        outgoing = torch.stack([packed(part) for part in padded.view(ranks, size)])
        if self._feedback:
            sent = torch.cat([unpacked(packet) for packet in outgoing])
            self._errors[bucket.index()] = padded - sent
        incoming = torch.empty_like(outgoing)
        dist.all_to_all_single(incoming, outgoing)
        mine = torch.stack([unpacked(packet) for packet in incoming]).sum(0) / ranks
        means = torch.empty_like(outgoing)
        dist.all_gather_single(means.flatten(), packed(mine))
        averaged = torch.cat([unpacked(packet) for packet in means])
        return gradients.copy_(averaged[: len(gradients)])
