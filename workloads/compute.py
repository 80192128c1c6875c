"""Declared compute time: the accelerators' pace, kept by a small real model.

An emulated accelerator computes elsewhere, so its time passes asleep and leaves the processor to
the network; the arithmetic of the small model is real and lies within that time.
"""

from __future__ import annotations

import time
from typing import Any

import torch

FORWARD_SHARE = 1 / 3
"""Backward takes twice the arithmetic of forward."""


class Pace:
    """The time table of one step: when each layer's forward and backward pass is due to end."""

    def __init__(self, compute_ns: int, layers: int) -> None:
        """Spread ``compute_ns`` over ``layers``: a third forward, the rest backward."""
        self._forward_ns = compute_ns * FORWARD_SHARE / layers
        self._backward_ns = compute_ns * (1 - FORWARD_SHARE) / layers
        self._layers = layers
        self._start_ns = 0
        self.computed_ns = 0

    def begin(self, now_ns: int) -> None:
        """Start a step."""
        self._start_ns = self.computed_ns = now_ns

    def forward_done(self, layer: int) -> None:
        """Wait until layer number ``layer`` (from 0) would have finished forward."""
        self._sleep_until(self._start_ns + (layer + 1) * self._forward_ns)

    def backward_done(self, layer: int) -> None:
        """Wait until layer number ``layer`` would have its gradient."""
        begin_ns = self._start_ns + self._layers * self._forward_ns
        self._sleep_until(begin_ns + (self._layers - layer) * self._backward_ns)

    def _sleep_until(self, due_ns: float) -> None:
        remaining_ns = due_ns - time.monotonic_ns()
        if remaining_ns > 0:
            time.sleep(remaining_ns / 1e9)
        self.computed_ns = time.monotonic_ns()


class Paced(torch.autograd.Function):
    """Identity on a layer's output that keeps the layer to its time, forward and backward."""

    @staticmethod
    def forward(ctx: Any, output: torch.Tensor, pace: Pace, layer: int) -> torch.Tensor:
        """Pass ``output`` (any shape) on when the layer is due."""
        ctx.pace, ctx.layer = pace, layer
        pace.forward_done(layer)
        return output.view_as(output)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Pass the gradient on to the layer's parameters when they would be ready."""
        ctx.pace.backward_done(ctx.layer)
        return gradients[0], None, None
