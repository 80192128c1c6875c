"""Declared compute time: the accelerators' pace, kept by a small real model.

An emulated accelerator computes elsewhere, so its time passes asleep and leaves the processor to
the network; the arithmetic of the small model is real and lies within that time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch

FORWARD_SHARE = 1 / 3
"""Backward takes twice the arithmetic of forward."""
MEMORY = 0.25
"""How much the last step says about how long a layer's arithmetic takes, against all before."""


class Pace:
    """The time table of a step: when each layer's forward and backward pass is due to end.

    Attributes:
        declared_ns: what the step's forward and backward pass should take.
        computed_ns: when the last pass so far was let go, by CLOCK_MONOTONIC.
    """

    def __init__(self, compute_ns: int, layers: int, shares: Sequence[float] | None = None) -> None:
        """Spread ``compute_ns`` over ``layers``, as ``shares`` say: a third of it is forward."""
        weights = [1.0] * layers if shares is None else shares
        assert len(weights) == layers
        sums = [0.0, *accumulate(weights)]
        self._until = [it / sums[-1] for it in sums]
        self._backward_ns = [0.0] * layers
        self._computing: tuple[int, int] | None = None
        self._usual_ns = self.declared_ns = compute_ns
        self._start_ns = 0
        self.computed_ns = 0

    def begin(self, now_ns: int, compute_ns: int | None = None) -> None:
        """Start a step, which takes ``compute_ns`` where that is not as usual."""
        self.declared_ns = self._usual_ns if compute_ns is None else compute_ns
        self._start_ns = self.computed_ns = now_ns
        self._computing = None

    @property
    def late_ns(self) -> int:
        """Return how much longer than declared the step took, the arithmetic being real."""
        return max(0, self.computed_ns - self._start_ns - self.declared_ns)

    def forward_done(self, layer: int) -> None:
        """Wait until layer number ``layer`` (from 0) would have finished forward."""
        self._sleep_until(self._until[layer + 1] * FORWARD_SHARE)

    def backward_begins(self, layer: int) -> None:
        """Wait until the layer's arithmetic, as long as it last took, ends when it is due.

        What the first layer's takes is not seen, since nothing is paced after it.
        """
        now_ns = time.monotonic_ns()
        if self._computing:
            before, since_ns = self._computing
            last_ns = self._backward_ns[before]
            self._backward_ns[before] = last_ns + (now_ns - since_ns - last_ns) * MEMORY
        due = 1 - self._until[layer] * (1 - FORWARD_SHARE)
        self._sleep_until(due, self._backward_ns[layer])
        self._computing = layer, self.computed_ns

    def _sleep_until(self, due: float, early_ns: float = 0.0) -> None:
        due_ns = self._start_ns + due * self.declared_ns - early_ns
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
        ctx.pace.backward_begins(ctx.layer)
        return gradients[0], None, None
