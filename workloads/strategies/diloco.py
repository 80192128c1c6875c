"""The strategy ``diloco``."""

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
OPTIONS = {
    "every": Option(10, "inner steps to one outer step; the paper takes 500", least=1),
    "inner_rate": Option(0.0004, "learning rate of each rank's AdamW", least=1e-9),
    "outer_rate": Option(0.7, "learning rate of the outer step", least=1e-9),
    "outer_momentum": Option(0.9, "Nesterov momentum of the outer step", least=1e-9, most=0.9999),
    "half": Option(True, "send how far ranks came in 16 bits; the paper takes 32"),
}


@contextmanager
def diloco(
    model: nn.Module,
    job: Job,
    every: int,
    inner_rate: float,
    outer_rate: float,
    outer_momentum: float,
    half: bool,
) -> Iterator[Replica]:
    """Train each rank by itself with AdamW, then step by Nesterov along the mean of their ways."""
    from workloads.exchange.averaging import Local, OuterReplica

    yield OuterReplica(model, every, Local(inner_rate, outer_rate, outer_momentum, half))
