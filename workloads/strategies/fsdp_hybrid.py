"""The strategy ``fsdp-hybrid``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workloads.option import Value
from workloads.sites import unequal

if TYPE_CHECKING:
    from torch import nn

    from workloads.exchange.replica import Replica
    from workloads.job import Job

SYNCHRONOUS = True


def refuse(sites: Sequence[str], options: Mapping[str, Value]) -> str | None:
    """Say why parameters cannot be sharded in each campus and replicated across."""
    if len(set(sites)) == len(sites):
        return "each campus has one worker, nobody to share parameters with; that is ddp"
    return unequal(sites)


@contextmanager
def fsdp_hybrid(model: nn.Module, job: Job) -> Iterator[Replica]:
    """Share parameters out inside each campus; average each share's gradients across (FSDP2)."""
    from workloads.exchange.sharded import ShardedReplica

    yield ShardedReplica(model, job)
