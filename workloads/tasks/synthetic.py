"""The task ``synthetic``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from workloads.option import Option, Value
from workloads.sizes import Shape, Sized, layer_floats, layers_for, matrix_width

if TYPE_CHECKING:
    from workloads.job import Job, Rank
    from workloads.lesson import Lesson

OPTIONS: dict[str, Option] = {}
BEST_LOSS = None


def sized(options: Mapping[str, Value], gradient_bytes: int, bucket_bytes: int) -> Sized:
    """Return layers that fill buckets evenly, each a square matrix and a vector for the rest."""
    count = layers_for(gradient_bytes, bucket_bytes)
    width = matrix_width(gradient_bytes, count)
    layers: list[tuple[Shape, ...]] = []
    for floats in layer_floats(gradient_bytes, count):
        rest = floats - width * width
        layers.append(((width, width), (rest,)) if rest else ((width, width),))
    about = f"{count} layers of width {width}"
    return Sized("synthetic", options, tuple(layers), about)


def synthetic(job: Job, me: Rank) -> Lesson:
    """Gradients of any size, of a small model that learns random numbers by heart."""
    import torch
    from torch.nn.functional import mse_loss

    from workloads.compute import Pace
    from workloads.lesson import Batches, Lesson
    from workloads.model import BATCH, SizedModel

    layers = layers_for(job.gradient_bytes, job.bucket_bytes)
    pace = Pace(job.compute_ns, layers)
    model = SizedModel(job.gradient_bytes, layers, pace)

    def batches(shard: int, rows: int | None) -> Batches:
        data = torch.Generator().manual_seed(job.seed + 1 + shard)
        inputs, targets = torch.randn(2, rows or BATCH, model.width, generator=data)
        return lambda step: (inputs, targets)

    return Lesson(model, pace, batches, mse_loss)
