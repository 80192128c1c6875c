"""Training strategies: how the ranks' gradients meet. One file each, found by name.

A strategy ``some-name`` is the context manager ``some_name`` of the file ``some_name.py`` in this
folder: it takes the model and the job, and yields a `Replica` for the training loop. Nothing here
imports torch, so that a scenario is checked without it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import nn

    from workloads.job import Job

    Strategy = Callable[[nn.Module, Job], AbstractContextManager["Replica"]]


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


def names() -> list[str]:
    """Return the name of every strategy, without loading any."""
    return sorted(file.name.replace("_", "-") for file in pkgutil.iter_modules(__path__))


def load(name: str) -> Strategy:
    """Return the strategy of that name."""
    function = name.replace("-", "_")
    strategy: Strategy = getattr(importlib.import_module(f"{__name__}.{function}"), function)
    return strategy
