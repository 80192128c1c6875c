"""Parameters shared out over the ranks of a campus, and replicated from campus to campus.

torch's FSDP2 over a mesh of campuses by places (hybrid sharding: Zhao et al., PyTorch FSDP, VLDB
2023). Inside a campus parameters are gathered for each pass and gradients reduce-scattered; across,
each rank averages its share's gradients with the ranks of its place.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from workloads.exchange.replica import LEARNING_RATE, Criterion, Replica
from workloads.job import Job
from workloads.sites import campuses


class Whole(nn.Module):
    """A model whose outputs are no view of others, which FSDP2 would warn of."""

    def __init__(self, model: nn.Module) -> None:
        """Take the model."""
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map what the model maps."""
        outputs: torch.Tensor = self.model(x)
        return outputs.clone()


class ShardedReplica(Replica):
    """A model of which each rank holds a share, in groups of layers of about a bucket.

    FSDP2 waits for gloo's collectives where on accelerators they run beside computing. The pace
    does not wait with it: passes that are due by the time table go on at once, so that what would
    hide behind computing does so here, and what is left is communication that is not hidden.
    """

    def __init__(self, model: nn.Module, job: Job) -> None:
        """Share out the parameters, which begin alike on all ranks; every rank must do so."""
        super().__init__(model)
        self.paced = False
        self.moving = "shares of parameters and gradients"
        layers = list(model.get_submodule("layers").children())
        sites = campuses([rank.site for rank in job.ranks])
        mesh = DeviceMesh("cpu", torch.tensor(sites), mesh_dim_names=("campus", "place"))
        self.among = f"place {mesh.get_local_rank('place')}"
        groups = grouped(layers, job.bucket_bytes)
        for group in groups:
            fully_shard(group, mesh=mesh)
        self.module = Whole(model)
        fully_shard(self.module, mesh=mesh)
        # The first gradients to meet are those of the last group, after its first layer.
        groups[-1][0].register_full_backward_hook(lambda *_: self.communicates())
        for module in self.module.modules():
            if isinstance(module, FSDPModule):
                module.set_force_sum_reduction_for_comms(True)  # gloo does not average

    def optimizer(self) -> torch.optim.Optimizer:
        """Make what steps along the gradients of this rank's share."""
        return torch.optim.SGD(self.model.parameters(), lr=LEARNING_RATE)

    def learn(
        self, inputs: torch.Tensor, targets: torch.Tensor, criterion: Criterion, compute_ns: int
    ) -> float | None:
        """Compute the gradients of this step; return the loss."""
        begin_ns = time.monotonic_ns()
        loss = super().learn(inputs, targets, criterion, compute_ns)
        self.computed_ns = min(begin_ns + compute_ns, time.monotonic_ns())
        return loss

    def agreed(self) -> list[torch.Tensor]:
        """Return this rank's share, which the ranks of its place hold alike."""
        return [it.to_local() for it in self.model.parameters() if isinstance(it, DTensor)]


def grouped(layers: Sequence[nn.Module], bucket_bytes: int) -> list[list[nn.Module]]:
    """Return neighbouring layers in groups of ``bucket_bytes`` or little more of parameters."""
    groups: list[list[nn.Module]] = [[]]
    held = 0
    for layer in layers:
        if held >= bucket_bytes:
            groups.append([])
            held = 0
        groups[-1].append(layer)
        held += sum(parameter.nbytes for parameter in layer.parameters())
    return groups
