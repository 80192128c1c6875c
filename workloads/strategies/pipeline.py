"""The strategy ``pipeline``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workloads.option import Option, Value
from workloads.sites import campuses, unequal
from workloads.sizes import FLOAT_BYTES, layers_for, matrix_width

if TYPE_CHECKING:
    from torch import nn

    from workloads.exchange.replica import Replica
    from workloads.job import Job

SYNCHRONOUS = True
TASK = "synthetic"
OPTIONS = {
    "microbatches": Option(8, "parts of a pipeline's batch, one after the other", least=2, most=64),
    "activations": Option(
        16_000_000, "between two stages, of one microbatch, each way", least=4, unit="size"
    ),
}
"""16 MB are a sequence of 2,048 tokens of 4,096 numbers in 16 bits."""


def refuse(sites: Sequence[str], options: Mapping[str, Value]) -> str | None:
    """Say why campuses cannot be stages."""
    stages, microbatches = len(campuses(sites)), options["microbatches"]
    if stages > microbatches:
        return f"{stages} stages cannot all be busy with {microbatches} microbatches"
    return unequal(sites)


def too_small(
    sites: Sequence[str], gradient_bytes: int, bucket_bytes: int, options: Mapping[str, Value]
) -> str | None:
    """Say why the emulated model cannot be cut, or its own activations not be sent."""
    layers, stages = layers_for(gradient_bytes, bucket_bytes), len(campuses(sites))
    if layers < stages:
        return f"a model of {layers} layers has too few for {stages} stages"
    own = FLOAT_BYTES * matrix_width(gradient_bytes, layers)
    if options["activations"] < own:
        return (
            f"activations are {options['activations']} B, but the small model's own are {own} B; "
            "state more"
        )
    return None


@contextmanager
def pipeline(model: nn.Module, job: Job, microbatches: int, activations: int) -> Iterator[Replica]:
    """Cut the model over campuses (1F1B): activations cross spans, gradients stay inside."""
    from workloads.exchange.stages import PipelineReplica

    yield PipelineReplica(model, job, microbatches, activations)
