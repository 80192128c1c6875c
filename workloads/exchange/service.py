"""Inference beside the spans: every rank answers requests of other campuses, and sends its own.

A request carries its number, from which the rank that answers draws the input: a real forward pass
of the small model, in the declared time, one after the other. Requests and answers have the stated
sizes. Both cross by gloo's point-to-point messages, the number first.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.distributed as dist
from torch import nn

from workloads.busy import Busy, sleep_until
from workloads.compute import FORWARD_SHARE
from workloads.exchange.mailbox import Outbox, received
from workloads.exchange.replica import Criterion, Replica
from workloads.exchange.unmoved import Unmoved
from workloads.job import Job
from workloads.model import SizedModel
from workloads.requests import NUMBER_BYTES, arrivals, asked, servers
from workloads.sizes import FLOAT_BYTES

REQUEST, ANSWER = 1, 2
"""Tags of messages."""


@dataclass(frozen=True)
class Load:
    """What each rank asks of others.

    Attributes:
        requests: in a step.
        load: their answering time as a share of the time in which they arrive.
        request_bytes, response_bytes: of each.
    """

    requests: int
    load: float
    request_bytes: int
    response_bytes: int


class ServingReplica(Replica):
    """Serves and asks.

    A step is a window of requests: it lasts as long as its requests take to arrive, and as much
    longer as some of them, of any rank, are not answered. Each step tells ``latencies_us``, from
    when a request was due to the last byte of its answer, and ``checksum``, the sum of all numbers
    that came.
    """

    def __init__(self, model: nn.Module, job: Job, load: Load) -> None:
        """Take the model, alike on all ranks, that answers."""
        super().__init__(model)
        assert isinstance(model, SizedModel), "layers, one after the other"
        self._layers, self._width = list(model.layers), model.width
        self._load, self._seed, self._timeout_s = load, job.seed, job.timeout_s
        sites = [rank.site for rank in job.ranks]
        rank = dist.get_rank()
        self._rank, self._servers = rank, servers(sites, rank)
        total = job.steps * load.requests
        self._incoming = {peer: asked(sites, peer, rank, total) for peer in self._servers}
        self._outgoing = {peer: asked(sites, rank, peer, total) for peer in self._servers}
        self._service_ns = 0.0
        self._sent = 0
        self._answers: dict[int, tuple[int, float]] = {}
        self._answered = threading.Condition()
        self._failure: BaseException | None = None
        self._requests: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
        self._outbox = Outbox()
        self._threads: list[threading.Thread] = []

    def optimizer(self) -> torch.optim.Optimizer:
        """Make what leaves the model as it is."""
        return Unmoved(self.model.parameters())

    def learn(
        self, inputs: torch.Tensor, targets: torch.Tensor, criterion: Criterion, compute_ns: int
    ) -> None:
        """Send a window's requests as they arrive, and wait for the answers; learn nothing."""
        load, begin_ns = self._load, time.monotonic_ns()
        self._service_ns = compute_ns * FORWARD_SHARE
        self._start()
        lasts_ns = load.requests * self._service_ns / load.load
        window, first = self._sent // load.requests, self._sent
        due_ns = {}
        for share in arrivals(self._seed, self._rank, window, load.requests):
            due_ns[self._sent] = int(begin_ns + share * lasts_ns)
            sleep_until(due_ns[self._sent])
            self.communicates()
            server = self._servers[self._sent % len(self._servers)]
            self._outbox.send(message(self._sent, load.request_bytes), server, REQUEST)
            self._sent += 1
        found = self._answers_to(range(first, self._sent))
        dist.barrier()  # windows begin together, so that phases hold whole ones
        sleep_until(begin_ns + lasts_ns)
        self.computed_ns = int(min(begin_ns + lasts_ns, time.monotonic_ns()))
        self.notes = {
            "latencies_us": [(found[it][0] - due_ns[it]) // 1000 for it in due_ns],
            "checksum": sum(values for _, values in found.values()),
        }

    def finish(self) -> None:
        """Serve until everybody has been answered, which the last barrier has seen to."""
        for thread in self._threads:
            thread.join()
        self._outbox.wait()

    def _answers_to(self, numbers: range) -> dict[int, tuple[int, float]]:
        """Wait for the answers to requests; return when each came, and its sum."""
        with self._answered:
            come = self._answered.wait_for(
                lambda: self._failure or all(it in self._answers for it in numbers),
                self._timeout_s,
            )
            if self._failure:
                raise RuntimeError("serving failed") from self._failure
            if not come:
                missing = [it for it in numbers if it not in self._answers]
                asked_of = sorted({self._servers[it % len(self._servers)] for it in missing})
                raise RuntimeError(
                    f"{len(missing)} requests were not answered within {self._timeout_s:g} s, "
                    f"by ranks {', '.join(map(str, asked_of))}"
                )
            return {it: self._answers.pop(it) for it in numbers}

    def _start(self) -> None:
        """Begin to serve; with the first step, so that no time-out runs before it."""
        if self._threads:
            return
        for peer in sorted(self._servers):
            self._run(partial(self._take_requests, peer))
            self._run(partial(self._take_answers, peer))
        self._run(self._serve)

    def _run(self, work: Callable[[], None]) -> None:
        """Do something in a thread, whose error is that of the next window."""

        def guarded() -> None:
            try:
                work()
            except Exception as error:
                traceback.print_exc()
                with self._answered:
                    self._failure = error
                    self._answered.notify_all()

        thread = threading.Thread(target=guarded, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _take_requests(self, client: int) -> None:
        for request in received(client, REQUEST, self._load.request_bytes, self._incoming[client]):
            self._requests.put((client, number_of(request)))

    def _serve(self) -> None:
        """Answer requests one after the other, in the order in which they came."""
        outbox, busy = Outbox(), Busy()
        for _ in range(sum(self._incoming.values())):
            client, number = self._requests.get()
            with busy.lasting(self._service_ns), torch.no_grad():
                x = asked_for(self._seed, client, number, self._width)
                for layer in self._layers:
                    x = layer(x)
            outbox.send(message(number, self._load.response_bytes, x[0]), client, ANSWER)
        outbox.wait()

    def _take_answers(self, server: int) -> None:
        own = self._servers.index(server)
        answers = received(server, ANSWER, self._load.response_bytes, self._outgoing[server])
        for turn, answer in enumerate(answers):
            came_ns, number = time.monotonic_ns(), number_of(answer)
            expected = own + turn * len(self._servers)
            if number != expected:
                raise RuntimeError(f"rank {server} answered request {number}, not {expected}")
            with self._answered:
                self._answers[number] = came_ns, float(values_of(answer).sum())
                self._answered.notify_all()


def message(number: int, size: int, values: torch.Tensor | None = None) -> torch.Tensor:
    """Return ``size`` bytes: a number, then as many floats as fit, then nothing."""
    found = torch.zeros(size, dtype=torch.uint8)
    found[:NUMBER_BYTES] = torch.tensor([number]).view(torch.uint8)
    if values is not None:
        fitting = values[: (size - NUMBER_BYTES) // FLOAT_BYTES].contiguous().view(torch.uint8)
        found[NUMBER_BYTES : NUMBER_BYTES + len(fitting)] = fitting
    return found


def number_of(found: torch.Tensor) -> int:
    """Return a message's number."""
    return int(found[:NUMBER_BYTES].view(torch.int64))


def values_of(found: torch.Tensor) -> torch.Tensor:
    """Return the floats of a message."""
    floats = (len(found) - NUMBER_BYTES) // FLOAT_BYTES
    return found[NUMBER_BYTES : NUMBER_BYTES + floats * FLOAT_BYTES].view(torch.float32)


def asked_for(seed: int, client: int, number: int, width: int) -> torch.Tensor:
    """Return the input of a client's request, of shape ``(1, width)``."""
    random = torch.Generator().manual_seed(seed + 1_000_003 * client + number)
    return torch.randn(1, width, generator=random)
