"""Asynchronous training: every rank is a worker, and rank 0 holds the parameters besides.

After its backward pass a worker pushes its gradients to rank 0 and pulls the parameters, over
gloo's point-to-point messages; whoever is slower is not waited for, up to a bound.
"""

from __future__ import annotations

import threading
import traceback

import torch
import torch.distributed as dist
from torch import nn

from workloads.exchange.averaging import flat, write
from workloads.exchange.replica import LEARNING_RATE, Replica
from workloads.exchange.server import ParameterServer, Pulled
from workloads.exchange.unmoved import Unmoved
from workloads.job import Job

SERVER = 0
COUNTS = 2
"""Numbers that go with the parameters: of this push, and of the version."""


class AsynchronousReplica(Replica):
    """A worker; on rank 0 it exchanges with the server in its own process, elsewhere with rank 0.

    `divergence` is how far the parameters that it computed with were from those that it then
    pulled. Besides, each step tells ``pushed``, ``pulled`` and ``staleness``: how many gradients of
    others the server had taken in between.
    """

    def __init__(self, model: nn.Module, job: Job, staleness: int) -> None:
        """Take the model, which begins alike on all ranks."""
        super().__init__(model)
        self._parameters = list(model.parameters())
        self._rank, self._version = dist.get_rank(), 0
        self._threads: list[threading.Thread] = []
        self._steps, self._workers = job.steps, len(job.ranks)
        values = flat(self._parameters)
        self._packet = torch.empty(len(values) + COUNTS)
        self._server: ParameterServer | None = None
        if self._rank == SERVER:
            self._server = ParameterServer(
                values, self._workers, LEARNING_RATE, staleness, job.timeout_s
            )

    def optimizer(self) -> torch.optim.Optimizer:
        """Make what leaves the step to the server."""
        return Unmoved(self._parameters)

    def begin_step(self) -> None:
        """Serve from the first step on, so that no time-out runs while others get ready."""
        super().begin_step()
        if self._server and not self._threads:
            self._threads = [
                threading.Thread(target=self._serve, args=[self._server, worker], daemon=True)
                for worker in range(self._workers)
                if worker != SERVER
            ]
            for thread in self._threads:
                thread.start()

    def end_step(self, step: int) -> None:
        """Push this step's gradients and pull the parameters."""
        gradient = torch.cat([it.grad.flatten() for it in self._parameters if it.grad is not None])
        over = self.meets(gradient, "gradients and parameters with the server")
        if self._server:
            pulled = self._server.exchange(SERVER, gradient)
        else:
            dist.send(gradient, SERVER)
            dist.recv(self._packet, SERVER)
            pulled = unpacked(self._packet)
        over()
        self.divergence = float((pulled.values - flat(self._parameters)).norm())
        self.notes = {
            "pushed": pulled.pushed,
            "pulled": pulled.version,
            "staleness": pulled.pushed - 1 - self._version,
        }
        self._version = pulled.version
        write(pulled.values, self._parameters)

    def agreed(self) -> None:
        """Return nothing: workers hold versions of their own."""

    def finish(self) -> None:
        """Serve until every worker has taken its last step."""
        for thread in self._threads:
            thread.join()

    def _serve(self, server: ParameterServer, worker: int) -> None:
        """Answer one worker to its last step."""
        gradient = torch.empty(len(self._packet) - COUNTS)
        try:
            for _ in range(self._steps):
                dist.recv(gradient, worker)
                dist.send(packed(server.exchange(worker, gradient)), worker)
        except Exception as error:  # it is that of rank 0, whose next exchange raises it
            traceback.print_exc()
            server.fail(error)


def packed(pulled: Pulled) -> torch.Tensor:
    """Return parameters and counts in a row; the counts by their bits, not as numbers."""
    counts = torch.tensor([pulled.pushed, pulled.version], dtype=torch.int32)
    return torch.cat([pulled.values, counts.view(torch.float32)])


def unpacked(packet: torch.Tensor) -> Pulled:
    """Return what `packed` put together."""
    pushed, version = packet[-COUNTS:].clone().view(torch.int32).tolist()
    return Pulled(packet[:-COUNTS], pushed, version)
