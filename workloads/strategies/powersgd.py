"""The strategy ``powersgd``."""

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
OPTIONS = {
    "rank": Option(4, "of the two factors that stand for a matrix", least=1, most=1024),
}
WHOLE_STEPS = 2
"""First steps, averaged whole: the least that torch's hook allows with error feedback."""


@contextmanager
def powersgd(model: nn.Module, job: Job, rank: int) -> Iterator[Replica]:
    """Average two thin factors of each gradient matrix, with error feedback."""
    from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import (
        PowerSGDState,
        powerSGD_hook,
    )

    from workloads.exchange.replica import BucketReplica, in_turn

    state = PowerSGDState(
        None,
        matrix_approximation_rank=rank,
        start_powerSGD_iter=WHOLE_STEPS,
        random_seed=job.seed,
    )
    with in_turn(lambda bucket: powerSGD_hook(state, bucket).wait()) as hook:
        yield BucketReplica(model, job.bucket_bytes, hook)
