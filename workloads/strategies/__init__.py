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

    module: nn.Module
    first_communication_ns: int

    def begin_step(self) -> None:
        """Forget the last step's times."""


STRATEGIES: dict[str, Callable[[nn.Module, Job], AbstractContextManager[Replica]]] = {"ddp": ddp}
