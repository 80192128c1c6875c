"""DiLoCo by fragments, whose exchange hides behind training.

Source: Douillard et al., Streaming DiLoCo with overlapping communication, arXiv:2501.18512 (2025),
algorithm 2. Here a fragment is an equal piece of all parameters in their order, where the paper
takes layers, and it crosses in 16 or 32 bits, where the paper takes 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn

from workloads.exchange.averaging import Local, flat, write
from workloads.exchange.replica import Replica


@dataclass(frozen=True)
class Turns:
    """When fragments meet.

    Attributes:
        every: steps from a fragment's turn to its next.
        first: of each fragment, the step after which its first turn begins.
        delay: steps from a turn's beginning to the step after which its result is taken.
    """

    every: int
    first: list[int]
    delay: int


class Fragment:
    """A piece of what all ranks agree on, and its exchange while it is under way."""

    def __init__(self, values: torch.Tensor, local: Local) -> None:
        """Take its values, which are alike on all ranks."""
        self.values = values.clone()
        self._local, self._outer = local, local.outer(self.values)
        self._way = self._mean = torch.empty(0)
        self._work: dist.Work | None = None

    def begin(self, own: torch.Tensor, over: Callable[..., None]) -> None:
        """Begin to average how far ranks came from the agreed values; call ``over`` at its end."""
        assert self._work is None, "one exchange at a time"
        self._way = self.values - own
        self._mean = self._local.outgoing(self._way)
        self._work = dist.all_reduce(self._mean, async_op=True)
        self._work.get_future().add_done_callback(over)

    def wait(self) -> None:
        """Wait for an exchange that is under way."""
        if self._work:
            self._work.wait()
            self._work = None

    def step(self) -> float:
        """Step along the mean way; return how far this rank was from the mean."""
        self.wait()
        mean = self._mean.float()
        self.values.grad = mean
        self._outer.step()
        return float((self._way - mean).norm())


class StreamingReplica(Replica):
    """Trains alone by AdamW; each fragment's outer step lies some steps after it was sent."""

    def __init__(self, model: nn.Module, local: Local, turns: Turns, mixing: float) -> None:
        """Take the model, which begins alike on all ranks."""
        super().__init__(model)
        self._local, self._turns, self._mixing = local, turns, mixing
        pieces = flat(list(model.parameters())).tensor_split(len(turns.first))
        self._fragments = [Fragment(piece, local) for piece in pieces]

    def optimizer(self) -> torch.optim.Optimizer:
        """Make this rank's own."""
        return self._local.inner(list(self.model.parameters()))

    def end_step(self, step: int) -> None:
        """Send the fragment whose turn begins, and take the one that is due."""
        turns = self._turns
        parameters = list(self.model.parameters())
        begins = [self._has_turn(number, step) for number in range(len(turns.first))]
        ends = [self._has_turn(number, step - turns.delay) for number in range(len(turns.first))]
        if not any(begins) and not any(ends):
            return
        pieces = flat(parameters).tensor_split(len(turns.first))
        for number, fragment in enumerate(self._fragments):
            if begins[number]:
                fragment.begin(pieces[number], self.meets(pieces[number], f"fragment {number}"))
            if ends[number]:
                self.divergence = fragment.step()
                pieces[number].lerp_(fragment.values, 1 - self._mixing)
        if any(ends):
            write(torch.cat(pieces), parameters)

    def agreed(self) -> list[torch.Tensor]:
        """Return the outer parameters; ranks never hold the same of their own."""
        return [fragment.values for fragment in self._fragments]

    def finish(self) -> None:
        """Wait for what is under way."""
        for fragment in self._fragments:
            fragment.wait()

    def _has_turn(self, number: int, step: int) -> bool:
        since = step - self._turns.first[number]
        return since >= 0 and since % self._turns.every == 0
