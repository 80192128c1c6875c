"""Averages of parameters, between which ranks train by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from workloads.exchange.replica import Replica


def flat(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return a copy of all values in one row."""
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def write(values: torch.Tensor, tensors: Sequence[torch.Tensor]) -> None:
    """Put a row of values back into tensors."""
    begin = 0
    with torch.no_grad():
        for tensor in tensors:
            tensor.copy_(values[begin : begin + tensor.numel()].view_as(tensor))
            begin += tensor.numel()


class AveragingReplica(Replica):
    """Trains alone; after every ``every``-th step, all ranks take their mean parameters."""

    def __init__(self, model: nn.Module, every: int) -> None:
        """Take the model, which begins alike on all ranks."""
        super().__init__(model)
        self._every = every
        self._apart = 0

    def end_step(self, step: int) -> None:
        """Average where the period ends."""
        self._apart += 1
        self.catch_up()

    @property
    def due(self) -> bool:
        """Return whether the period has ended without an average."""
        return self._apart == self._every

    def catch_up(self) -> None:
        """Average where the period has ended."""
        if self.due:
            self.synchronise()
            self._apart = 0

    def state(self) -> dict[str, Any]:
        """Return the parameters, and for how many steps they were trained alone."""
        return {**super().state(), "apart": self._apart}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        super().restore(state)
        self._apart = state["apart"]

    def synchronise(self) -> None:
        """Take the mean of all ranks' parameters."""
        parameters = list(self.model.parameters())
        own = flat(parameters)
        mean = own / dist.get_world_size()
        over = self.meets(mean)
        dist.all_reduce(mean)
        over()
        self.divergence = float((own - mean).norm())
        write(mean, parameters)

    def agreed(self) -> list[torch.Tensor] | None:
        """Return the parameters right after they were averaged, and nothing in between."""
        return None if self._apart else list(self.model.parameters())


@dataclass(frozen=True)
class Local:
    """How ranks train by themselves, and what they make of how far they came.

    Attributes:
        inner_rate: learning rate of each rank's AdamW.
        outer_rate, outer_momentum: of Nesterov's method along the mean way of all ranks.
        half: whether ways cross in 16 bits, of which the mean is taken too, or in 32.
    """

    inner_rate: float
    outer_rate: float
    outer_momentum: float
    half: bool

    def outgoing(self, way: torch.Tensor) -> torch.Tensor:
        """Return a rank's part of the mean way, as it is sent."""
        part = way / dist.get_world_size()
        return part.half() if self.half else part

    def inner(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """Make each rank's own optimizer."""
        return torch.optim.AdamW(parameters, lr=self.inner_rate)

    def outer(self, values: torch.Tensor) -> torch.optim.Optimizer:
        """Make the optimizer of what all ranks agree on."""
        return torch.optim.SGD(
            [values], lr=self.outer_rate, momentum=self.outer_momentum, nesterov=True
        )


class OuterReplica(AveragingReplica):
    """Trains alone by AdamW; the mean of how far ranks came is the gradient of an outer step.

    Source: Douillard et al., DiLoCo: Distributed Low-Communication Training of Language Models,
    arXiv:2311.08105 (2023), algorithm 1.
    """

    def __init__(self, model: nn.Module, every: int, local: Local) -> None:
        """Take the model, which begins alike on all ranks."""
        super().__init__(model, every)
        self._local = local
        self._outer_values = flat(list(model.parameters()))
        self._outer = local.outer(self._outer_values)

    def state(self) -> dict[str, Any]:
        """Return also what all ranks last agreed on, and the outer step's momentum."""
        outer = {"values": self._outer_values, "optimizer": self._outer.state_dict()}
        return {**super().state(), "outer": outer}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        super().restore(state)
        self._outer_values.copy_(state["outer"]["values"])
        self._outer.load_state_dict(state["outer"]["optimizer"])

    def adopt(self, model: dict[str, Any]) -> None:
        """Begin from there; that is what all ranks agree on."""
        super().adopt(model)
        self._outer_values.copy_(flat(list(self.model.parameters())))

    def optimizer(self) -> torch.optim.Optimizer:
        """Make this rank's own."""
        return self._local.inner(list(self.model.parameters()))

    def synchronise(self) -> None:
        """Step from where all began along the mean way that they came; begin there again."""
        parameters = list(self.model.parameters())
        way = self._outer_values - flat(parameters)
        moving = self._local.outgoing(way)
        over = self.meets(moving)
        dist.all_reduce(moving)
        over()
        mean = moving.float()
        self.divergence = float((way - mean).norm())
        self._outer_values.grad = mean
        self._outer.step()
        write(self._outer_values, parameters)
