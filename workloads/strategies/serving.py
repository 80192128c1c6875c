"""The strategy ``serving``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workloads.option import Option, Value
from workloads.requests import NUMBER_BYTES
from workloads.sizes import FLOAT_BYTES

if TYPE_CHECKING:
    from torch import nn

    from workloads.exchange.replica import Replica
    from workloads.job import Job

SYNCHRONOUS = True
HURRIES = "its ranks count the requests of all steps, and wait for none beyond workload.timeout"
TASK = "synthetic"
OPTIONS = {
    "requests": Option(8, "that each worker sends in a step, to other campuses", least=1, most=256),
    "load": Option(
        0.5, "share of its time that a worker would answer as many in", least=0.01, most=10
    ),
    "request": Option(100_000, "of each request", least=NUMBER_BYTES, unit="size"),
    "response": Option(1_000_000, "of each answer", least=NUMBER_BYTES + FLOAT_BYTES, unit="size"),
}


def refuse(sites: Sequence[str], options: Mapping[str, Value]) -> str | None:
    """Say why no request would cross a span."""
    if len(set(sites)) < 2:
        return f"requests come from other campuses, and all workers are at {sites[0]}"
    return None


def too_small(
    sites: Sequence[str], gradient_bytes: int, bucket_bytes: int, options: Mapping[str, Value]
) -> str | None:
    """Say why a request cannot hold its number, or an answer that and a result."""
    least = {"request": NUMBER_BYTES, "response": NUMBER_BYTES + FLOAT_BYTES}
    for name, size in least.items():
        if options[name] < size:
            return f"a {name} has {options[name]} B, of {size} that it needs; state more"
    return None


@contextmanager
def serving(
    model: nn.Module, job: Job, requests: int, load: float, request: int, response: int
) -> Iterator[Replica]:
    """Train nothing: answer requests from other campuses, each campus with a model of its own."""
    from workloads.exchange.service import Load, ServingReplica

    yield ServingReplica(model, job, Load(requests, load, request, response))
