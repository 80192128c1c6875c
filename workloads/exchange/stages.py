"""A pipeline over campuses: each holds some layers, and activations cross between them.

torch's 1F1B schedule (Narayanan et al., PipeDream, SOSP 2019; its synchronous form is that of
Megatron-LM, SC 2021) over gloo. As many pipelines run side by side as a campus has ranks; the ranks
of a campus hold the same stage and average its gradients by DistributedDataParallel.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.distributed_c10d import new_subgroups_by_enumeration
from torch.distributed.pipelining import PipelineStage, Schedule1F1B
from torch.nn.parallel import DistributedDataParallel

from workloads.busy import Busy
from workloads.compute import FORWARD_SHARE
from workloads.exchange.replica import LEARNING_RATE, Criterion, Replica
from workloads.job import Job
from workloads.model import SizedModel
from workloads.sites import campuses
from workloads.sizes import FLOAT_BYTES, cut


class Layers(nn.Module):
    """Consecutive layers; what leaves them is padded to the size that it has for real."""

    def __init__(self, layers: Sequence[nn.Module], width: int, leaving: int) -> None:
        """Take layers of ``width``, of which ``leaving`` floats a row leave."""
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self._width, self._padding = width, leaving - width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(rows, width or more)`` to ``(rows, leaving)``."""
        x = x[:, : self._width]
        for layer in self.layers:
            x = layer(x)
        return nn.functional.pad(x, (0, self._padding))


class PacedStage(PipelineStage):
    """A stage that takes its declared time for each microbatch, forward and backward."""

    def __init__(self, sends: Callable[[], None], *rest: Any) -> None:
        """Take what to call when a microbatch leaves, and what torch's stage takes."""
        super().__init__(*rest)
        self._sends = sends
        self._declared_ns = 0.0
        self._busy = Busy()

    def begin(self, declared_ns: float) -> Busy:
        """Begin a step whose microbatches take that long each; return how long they took in all."""
        self._declared_ns = declared_ns
        self._busy = Busy()
        return self._busy

    def forward_one_chunk(self, *args: Any, **kwargs: Any) -> Any:
        """Compute a microbatch forward."""
        with self._busy.lasting(self._declared_ns * FORWARD_SHARE):
            output = super().forward_one_chunk(*args, **kwargs)
        self._sends()
        return output

    def backward_one_chunk(self, *args: Any, **kwargs: Any) -> Any:
        """Compute a microbatch backward; after the last one gradients meet in the campus."""
        with self._busy.lasting(self._declared_ns * (1 - FORWARD_SHARE)):
            return super().backward_one_chunk(*args, **kwargs)


class PipelineReplica(Replica):
    """One stage of one pipeline. A pipeline reads as many microbatches of one sample each.

    The work of a step is that of ddp: a rank computes its part of the layers for all ranks of its
    pipeline, so that in a step each is busy for the declared compute time, and idle besides for
    (stages - 1) / microbatches of it while the pipeline fills and drains.
    """

    def __init__(self, model: nn.Module, job: Job, microbatches: int, activations: int) -> None:
        """Cut the model and join the pipeline; every rank must do so."""
        super().__init__(model)
        assert isinstance(model, SizedModel), "layers of one width, one after the other"
        timeout = timedelta(seconds=job.timeout_s)
        sites = campuses([rank.site for rank in job.ranks])
        pipelines = [list(ranks) for ranks in zip(*sites, strict=True)]
        rank = dist.get_rank()
        stage = next(number for number, ranks in enumerate(sites) if rank in ranks)
        self.shard = sites[stage].index(rank)
        self.rows = microbatches
        self.among = f"stage {stage}"
        self._is_first, self._is_last = stage == 0, stage == len(sites) - 1
        # All ranks create all groups, in this order.
        along, _ = new_subgroups_by_enumeration(pipelines, timeout)  # type: ignore[no-untyped-call]
        inside, _ = new_subgroups_by_enumeration(sites, timeout)  # type: ignore[no-untyped-call]
        self.moving = "activations and gradients of the pipeline"
        own = cut(len(model.layers), len(sites))[stage]
        floats = activations // FLOAT_BYTES
        leaving = model.width if self._is_last else floats
        self.module = part = Layers([model.layers[layer] for layer in own], model.width, leaving)
        if len(sites[stage]) > 1:
            self.module = DistributedDataParallel(
                part,
                process_group=inside,
                bucket_cap_mb=job.bucket_bytes / 2**20,
                gradient_as_bucket_view=True,
            )
        self._share = len(own) * len(sites) / len(model.layers) / microbatches
        self._stage = PacedStage(
            self.communicates,
            self.module,
            stage,
            len(sites),
            torch.device("cpu"),
            # Stated, so that stages need not find them out from each other.
            torch.empty(1, model.width if self._is_first else floats).requires_grad_(stage > 0),
            torch.empty(1, leaving, requires_grad=True),
            None,
            None,
            along,
        )
        self._criterion: Criterion = nn.functional.mse_loss
        self._schedule = Schedule1F1B(
            self._stage,
            microbatches,
            loss_fn=self._loss,
        )

    def optimizer(self) -> torch.optim.Optimizer:
        """Make what steps along the gradients of this stage."""
        return torch.optim.SGD(self.module.parameters(), lr=LEARNING_RATE)

    def learn(
        self, inputs: torch.Tensor, targets: torch.Tensor, criterion: Criterion, compute_ns: int
    ) -> float | None:
        """Take the batch through the pipeline; return the loss at its last stage."""
        begin_ns = time.monotonic_ns()
        busy = self._stage.begin(compute_ns * self._share)
        self._criterion = criterion
        losses: list[torch.Tensor] = []
        arguments = [inputs] if self._is_first else []
        target = targets if self._is_last else None
        self._schedule.step(*arguments, target=target, losses=losses, return_outputs=False)
        self.computed_ns = begin_ns + busy.spent_ns
        return torch.stack(losses).mean().item() if losses else None

    def agreed(self) -> list[torch.Tensor]:
        """Return this stage's parameters, which the ranks of a campus hold alike."""
        return list(self.module.parameters())

    def _loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self._criterion(outputs, targets)
