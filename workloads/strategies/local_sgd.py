"""The strategy ``local-sgd``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workloads.option import Option

if TYPE_CHECKING:
    from torch import nn

    from workloads.exchange.replica import Replica
    from workloads.job import Job

SYNCHRONOUS = False
RESUMES = True
OPTIONS = {"every": Option(10, "steps from one average to the next", least=1)}


@contextmanager
def local_sgd(model: nn.Module, job: Job, every: int) -> Iterator[Replica]:
    """Train each rank by itself, and average all parameters every few steps."""
    from workloads.exchange.averaging import AveragingReplica

    yield AveragingReplica(model, every)
