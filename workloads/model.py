"""A small real model whose gradients have exactly the wanted size."""

from __future__ import annotations

import math

import torch
from torch import nn

from workloads.compute import Pace
from workloads.lesson import Layered
from workloads.sizes import FLOAT_BYTES, layer_floats, matrix_width

BATCH = 4


class Layer(nn.Module):
    """``tanh(x W + mean(rest))``: W is square, ``rest`` makes up the number of parameters."""

    def __init__(self, width: int, parameters: int) -> None:
        """Make a layer of ``parameters`` floats, ``width**2`` of them in W."""
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, width) / math.sqrt(width))
        rest = parameters - width * width
        self.rest = nn.Parameter(torch.zeros(rest)) if rest else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(batch, width)`` to the same shape."""
        shift = 0.0 if self.rest is None else self.rest.mean()
        return torch.tanh(x @ self.weight + shift)


class SizedModel(Layered):
    """Layers with ``gradient_bytes`` of parameters in all; each maps ``(batch, width)``."""

    def __init__(self, gradient_bytes: int, layers: int, pace: Pace) -> None:
        """Split the parameters over the layers; raises ValueError for less than one each."""
        if gradient_bytes // FLOAT_BYTES < layers:
            raise ValueError(f"{gradient_bytes} bytes of gradients do not fill {layers} layers")
        sizes = layer_floats(gradient_bytes, layers)
        width = matrix_width(gradient_bytes, layers)
        super().__init__([Layer(width, size) for size in sizes], pace)
        self.width = width
