"""A parameter server: it steps along each gradient as it comes, and lets nobody get far ahead."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Pulled:
    """What a worker gets for a gradient.

    Attributes:
        values: the server's parameters.
        pushed: the gradient was the n-th of all that were pushed, counted from 1.
        version: how many gradients the parameters have taken.
    """

    values: torch.Tensor
    pushed: int
    version: int


class ParameterServer:
    """Parameters that workers push gradients to and pull, each in a thread of its own.

    Stale synchronous parallel: a worker that is more than ``staleness`` steps ahead of the slowest
    waits for it. Source: Ho et al., More Effective Distributed ML via a Stale Synchronous Parallel
    Parameter Server, NeurIPS 2013.
    """

    def __init__(
        self, values: torch.Tensor, workers: int, rate: float, staleness: int, timeout_s: float
    ) -> None:
        """Take the first parameters; each gradient is stepped along at ``rate / workers``."""
        self._values = values
        self._rate = rate / workers
        self._staleness, self._timeout_s = staleness, timeout_s
        self._steps = [0] * workers
        self._pushed = 0
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    def exchange(self, worker: int, gradient: torch.Tensor) -> Pulled:
        """Take a worker's gradient; return the parameters as soon as it may go on.

        Raises RuntimeError when the slowest took too long, or another worker's exchange failed.
        """
        with self._changed:
            self._values.sub_(gradient, alpha=self._rate)
            self._pushed += 1
            pushed = self._pushed
            self._steps[worker] += 1
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._goes_on(worker), self._timeout_s):
                slowest = self._steps.index(min(self._steps))
                raise RuntimeError(
                    f"worker {worker} waited {self._timeout_s:g} s for worker {slowest} to be no "
                    f"more than {self._staleness} steps behind"
                )
            if self._failure:
                raise RuntimeError("the parameter server failed") from self._failure
            return Pulled(self._values.clone(), pushed, self._pushed)

    def fail(self, error: BaseException) -> None:
        """Let every exchange fail, now and later."""
        with self._changed:
            self._failure = error
            self._changed.notify_all()

    def _goes_on(self, worker: int) -> bool:
        ahead = self._steps[worker] - min(self._steps)
        return self._failure is not None or ahead <= self._staleness
