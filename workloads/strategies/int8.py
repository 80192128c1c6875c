"""The strategy ``int8``."""

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
    "feedback": Option(True, "carry what rounding took off a gradient over to the next step"),
}


@contextmanager
def int8(model: nn.Module, job: Job, feedback: bool) -> Iterator[Replica]:
    """Average gradients in numbers of 8 bits and a scale per slice: a quarter of the bytes."""
    from workloads.exchange.quantised import Quantised
    from workloads.exchange.replica import BucketReplica, in_turn

    with in_turn(Quantised(feedback).average) as hook:
        yield BucketReplica(model, job.bucket_bytes, hook)
