"""Training strategies: how the ranks' gradients meet. A new strategy is one file and one line."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from torch import nn

from workloads.job import Job
from workloads.strategies.ddp import ddp


class Replica(Protocol):
    """A model as a strategy hands it to the loop."""

    @property
    def module(self) -> nn.Module:
        """What to call instead of the model."""

    @property
    def first_communication_ns(self) -> int:
        """When this step's first byte left, by CLOCK_MONOTONIC."""

    def begin_step(self) -> None:
        """Forget the last step's times."""


STRATEGIES: dict[str, Callable[[nn.Module, Job], AbstractContextManager[Replica]]] = {"ddp": ddp}
