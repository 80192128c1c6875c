"""The strategy ``top-k``."""

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
    "density": Option(0.01, "share of each bucket's gradients that are sent", least=1e-6, most=1),
}


@contextmanager
def top_k(model: nn.Module, job: Job, density: float) -> Iterator[Replica]:
    """Send each bucket's largest gradients only, and carry the rest over to the next step."""
    from workloads.exchange.replica import BucketReplica, in_turn
    from workloads.exchange.sparse import Sparse

    with in_turn(Sparse(density).average) as hook:
        yield BucketReplica(model, job.bucket_bytes, hook)
