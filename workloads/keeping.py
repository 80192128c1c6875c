"""What a rank keeps of its training in a file of its host, and how it goes on from there.

Ranks of a new job may have kept different things, or nothing: who joins has no file, who was killed
an old one. They go on from the most advanced state that any of them has, which one that has it
sends to all that do not. So the bytes of a move cross the spans, and no others do.

Where the job before trained by another strategy, ranks take its parameters and nothing else: their
optimizers begin anew. Ranks that it let part go on from their mean.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist

from workloads import strategies
from workloads.exchange.averaging import flat, write
from workloads.exchange.replica import Replica
from workloads.job import Job, Rank


@contextmanager
def keeping(job: Job, me: Rank, replica: Replica) -> Iterator[Keeper]:
    """Bring a rank to where all go on; keep what it holds as its job asks, also when it fails."""
    keeper = Keeper(job, me, replica, replica.optimizer())
    try:
        yield keeper
    except RuntimeError:
        if job.keep and job.keep.on_failure:
            keeper.write()
        raise


class Keeper:
    """Keeps a rank's state as its job asks.

    Attributes:
        optimizer: the rank's own.
        next_step: the first that the rank has not yet stepped its optimizer in.
        received_bytes: of state that came from another rank as this one began.
    """

    def __init__(
        self, job: Job, me: Rank, replica: Replica, optimizer: torch.optim.Optimizer
    ) -> None:
        """Take what is kept, and bring it to where all ranks go on; every rank must do so."""
        self._keep, self._replica, self.optimizer = job.keep, replica, optimizer
        self._job = job
        self._file = job.keep.file(me) if job.keep else None
        self.next_step = self.received_bytes = 0
        self._before: list[Any] | None = None  # the strategy, and its options, of what was kept
        if self._file:
            self._resume(job)

    def through(self, steps: Iterable[int]) -> Iterator[int]:
        """Pass on the numbers of steps; write the file where it is time to, and after the last."""
        keep, written = self._keep, False
        for step in steps:
            yield step
            if written := bool(keep and keep.every and (step + 1) % keep.every == 0):
                self.write()
        if keep and not written:
            self.write()

    def write(self) -> None:
        """Replace the file by what the rank holds now."""
        assert self._file, "something is to be kept"
        part = self._file.with_suffix(".part")
        part.write_bytes(self._dump())
        part.replace(self._file)

    @property
    def _progress(self) -> int:
        """Return how far the rank is; one that has not met as it should is behind who has."""
        return 2 * self.next_step - self._replica.due

    def _resume(self, job: Job) -> None:
        assert self._file
        if self._file.exists():
            self._load(self._file.read_bytes())
        ranks = len(job.ranks)
        progress = torch.empty(ranks, dtype=torch.int64)
        dist.all_gather_single(progress, torch.tensor([self._progress]))
        most = int(progress.max())
        source, *_ = (place for place in range(ranks) if progress[place] == most)
        lacking = [place for place in range(ranks) if progress[place] < most]
        if lacking:
            self._share(source, lacking)
        self._replica.catch_up()
        if self._takes_over:
            self._meet()

    @property
    def _takes_over(self) -> bool:
        """Return whether the parameters are those of another strategy, which all ranks had."""
        own = [self._job.strategy, dict(self._job.options)]
        return self._before is not None and self._before != own

    def _meet(self) -> None:
        """Go on from the mean of what ranks hold, where they were let part before."""
        assert self._before is not None
        if not strategies.declaration(self._before[0]).synchronous:
            parameters = list(self._replica.model.parameters())
            mean = flat(parameters) / dist.get_world_size()
            dist.all_reduce(mean)
            write(mean, parameters)
            self._replica.adopt(self._replica.model.state_dict())

    def _share(self, source: int, lacking: list[int]) -> None:
        """Send a rank's state to those that lack it, who take it for theirs."""
        group = dist.new_group([source, *lacking])
        if dist.get_rank() in (source, *lacking):
            state = self._dump() if dist.get_rank() == source else b""
            size = torch.tensor([len(state)])
            dist.broadcast(size, source, group)
            moved = torch.frombuffer(bytearray(state or bytes(int(size))), dtype=torch.uint8)
            dist.broadcast(moved, source, group)
            if dist.get_rank() != source:
                self._load(moved.numpy().tobytes())
                self.received_bytes = len(moved)
        dist.barrier()  # no rank may train while states still cross the spans

    def _dump(self) -> bytes:
        buffer = io.BytesIO()
        held: dict[str, Any] = {
            "next_step": self.next_step,
            "strategy": [self._job.strategy, dict(self._job.options)],
            "replica": self._replica.state(),
            "optimizer": self.optimizer.state_dict(),
        }
        torch.save(held, buffer)
        return buffer.getvalue()

    def _load(self, state: bytes) -> None:
        held = torch.load(io.BytesIO(state), weights_only=True)
        self.next_step = held["next_step"]
        self._before = held["strategy"]
        if self._before == [self._job.strategy, dict(self._job.options)]:
            self._replica.restore(held["replica"])
            self.optimizer.load_state_dict(held["optimizer"])
        else:
            self._replica.adopt(held["replica"]["model"])
