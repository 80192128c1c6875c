"""What the training loop is given: a model kept to its pace, and data of the rank's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn

from workloads.compute import Pace, Paced


class Layered(nn.Module):
    """Layers one after the other, each kept to its pace."""

    def __init__(self, layers: Iterable[nn.Module], pace: Pace) -> None:
        """Take the layers in the order of forward."""
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self._pace = pace

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map what the first layer takes to what the last returns, in the declared time."""
        for index, layer in enumerate(self.layers):
            x = Paced.apply(layer(x), self._pace, index)  # type: ignore[no-untyped-call]
        return x


Batches = Callable[[int], tuple[torch.Tensor, torch.Tensor]]
"""Returns inputs and targets of a step, by its number."""


@dataclass(frozen=True)
class Lesson:
    """A model and what a rank trains it on.

    Attributes:
        model: alike on all ranks at first. It may choose its ``optimizer()``.
        pace: that the model keeps to.
        batches: of a shard of the data, which each rank has of its own unless its strategy says
            otherwise, with so many samples in each, or None for as many as the task takes.
        loss: of outputs and targets, a mean.
    """

    model: Layered
    pace: Pace
    batches: Callable[[int, int | None], Batches]
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
