"""A model as a strategy hands it to the training loop."""

# No deferred annotations here: DistributedDataParallel checks those of a communication hook.
import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from workloads.exchange.deferred import Deferred

LEARNING_RATE = 0.01

Future = torch.futures.Future[torch.Tensor]
Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""The loss of outputs against targets."""


class Meeting(NamedTuple):
    """An exchange among ranks as one of them saw it: when (CLOCK_MONOTONIC), and its data."""

    begin_ns: int
    end_ns: int
    bytes: int

    def after(self, start_ns: int) -> tuple[int, int, int]:
        """Return begin and end in microseconds from ``start_ns``, and bytes: short to report."""
        return (self.begin_ns - start_ns) // 1000, (self.end_ns - start_ns) // 1000, self.bytes


class Replica:
    """By itself, a model that trains alone; strategies change what they need to.

    Attributes:
        module: what to call instead of the model.
        first_communication_ns: when this step's first byte left, by CLOCK_MONOTONIC, or 0.
        computed_ns: until when this step computed, by CLOCK_MONOTONIC, or 0 where the pace tells.
        divergence: how far this step found the rank from the mean of all (Euclidean), or None.
        notes: what else is to be told of this step.
        shard: whose data it reads: those of the rank of that number, or its own where None.
        rows: how many samples it reads in each step, or None for as many as its task takes.
        paced: whether the model's pace tells how long computing took.
        step: the number of the step under way.
        moving: what it exchanges, where that is not noted piece by piece.
        among: a word shared by those ranks that must hold bit by bit alike; "" is all ranks.
    """

    def __init__(self, model: nn.Module) -> None:
        """Take the model whose parameters are trained."""
        self.model = model
        self.module = model
        self.first_communication_ns = self.computed_ns = 0
        self.divergence: float | None = None
        self.step = 0
        self.moving: str | None = None
        self._met: queue.SimpleQueue[Meeting] = queue.SimpleQueue()
        self._under_way: dict[int, str] = {}
        self._numbers = count()
        self.notes: dict[str, Any] = {}
        self.shard: int | None = None
        self.rows: int | None = None
        self.paced = True
        self.among = ""

    def optimizer(self) -> torch.optim.Optimizer:
        """Make what steps along the gradients, as the model chooses, else by plain descent."""
        if choice := getattr(self.model, "optimizer", None):
            chosen: torch.optim.Optimizer = choice()
            return chosen
        return torch.optim.SGD(self.model.parameters(), lr=LEARNING_RATE)

    def begin_step(self) -> None:
        """Forget what the last step left."""
        self.first_communication_ns = self.computed_ns = 0
        self.divergence = None
        self.notes = {}

    def learn(
        self, inputs: torch.Tensor, targets: torch.Tensor, criterion: Criterion, compute_ns: int
    ) -> float | None:
        """Compute the gradients of this step; return the loss, where this rank knows it.

        Forward and backward should take ``compute_ns``, to which the model's own pace keeps.
        """
        loss = criterion(self.module(inputs), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()

    def end_step(self, step: int) -> None:
        """Do what follows the optimizer's step number ``step``, from 0."""

    def finish(self) -> None:
        """Wait, after the last step, for exchanges that are still under way."""

    def agreed(self) -> list[torch.Tensor] | None:
        """Return what must be bit-identical on all ranks before the next step, if anything."""
        return list(self.model.parameters())

    def state(self) -> dict[str, Any]:
        """Return what training goes on from, beside the optimizer's state."""
        return {"model": self.model.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned, here or on another rank."""
        self.model.load_state_dict(state["model"])

    def adopt(self, model: dict[str, Any]) -> None:
        """Begin from parameters that another strategy has trained, alike on all ranks."""
        self.model.load_state_dict(model)

    @property
    def due(self) -> bool:
        """Return whether ranks should have met after the last step, and could not."""
        return False

    def catch_up(self) -> None:
        """Meet where that is due, as it then is on all ranks."""

    def communicates(self) -> None:
        """Note that bytes leave now."""
        if not self.first_communication_ns:
            self.first_communication_ns = time.monotonic_ns()

    def meets(self, tensor: torch.Tensor, what: str = "all parameters") -> Callable[..., None]:
        """Note that ranks begin to exchange a tensor; call what this returns when they have.

        That may be given the future that promised it; any thread may call it.
        """
        self.communicates()
        begin_ns = time.monotonic_ns()
        size, number = tensor.nbytes, next(self._numbers)
        self._under_way[number] = f"{what}, {size} B"

        def over(*promised: Future) -> None:
            try:
                for future in promised:
                    future.value()
            except RuntimeError:
                return  # it failed, and is still waited for
            self._met.put(Meeting(begin_ns, time.monotonic_ns(), size))
            self._under_way.pop(number, None)

        return over

    def waits_for(self) -> str | None:
        """Say what is being exchanged, the oldest of it; None where nothing is."""
        return next(iter(self._under_way.values()), self.moving)

    def met(self) -> list[Meeting]:
        """Return the exchanges that have ended since this was last asked, the oldest first."""
        return sorted(self._met.get() for _ in range(self._met.qsize()))


class BucketReplica(Replica):
    """A model under DistributedDataParallel, whose gradient buckets meet as a hook says."""

    def __init__(
        self,
        model: nn.Module,
        bucket_bytes: int,
        hook: Callable[[Any], Future],
        *,
        overlap: bool = True,
    ) -> None:
        """Wrap ``model``, which is alike on all ranks already and is not broadcast.

        ``hook`` takes a `torch.distributed.GradBucket` and promises the averaged gradients; without
        ``overlap`` it is called after the whole backward pass only.
        """
        super().__init__(model)
        self._hook = hook
        self._average = self._begin if overlap else Deferred(self._begin)
        self.module = DistributedDataParallel(
            model,
            bucket_cap_mb=bucket_bytes / 2**20,
            gradient_as_bucket_view=True,
            init_sync=False,
        )
        self.module.register_comm_hook(None, self._meet)

    def _meet(
        self,
        state: None,
        bucket: dist.GradBucket,  # type: ignore[name-defined]
    ) -> Future:
        return self._average(bucket)

    def _begin(self, bucket: Any) -> Future:
        over = self.meets(bucket.buffer(), f"bucket {bucket.index()}")
        averaged = self._hook(bucket)
        averaged.add_done_callback(over)
        return averaged


class InTurn:
    """A hook that lets buckets meet one after the other, in a thread of its own, beside backward.

    For exchanges of several collectives: all ranks must begin the collectives of a group in the
    same order, which continuations of torch's futures do not keep over gloo.
    """

    def __init__(self, average: Callable[[Any], torch.Tensor]) -> None:
        """Take what returns the averaged gradients of a bucket, and may wait for them."""
        self._average = average
        self._waiting: queue.SimpleQueue[tuple[Any, Future] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def __call__(self, bucket: Any) -> Future:
        """Promise a bucket's averaged gradients."""
        averaged = Future()
        self._waiting.put((bucket, averaged))
        return averaged

    def close(self) -> None:
        """Let the thread end."""
        self._waiting.put(None)

    def _work(self) -> None:
        while waiting := self._waiting.get():
            bucket, averaged = waiting
            try:
                averaged.set_result(self._average(bucket))
            except Exception as error:  # it is that of the backward pass, which raises it
                traceback.print_exc()
                averaged.set_exception(error)  # type: ignore[arg-type]


@contextmanager
def in_turn(average: Callable[[Any], torch.Tensor]) -> Iterator[InTurn]:
    """Let buckets meet in turn for as long as this lasts."""
    hook = InTurn(average)
    try:
        yield hook
    finally:
        hook.close()
