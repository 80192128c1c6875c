"""Hierarchical averages: buckets meet inside each campus first, so that each crosses once.

Every bucket is reduce-scattered inside the campus, its slices all-reduced across campuses among the
ranks of equal place, then gathered inside the campus. Where campuses differ in size, the first rank
of each takes the whole bucket across and broadcasts it. gloo (torch 2.13) carries a reduce-scatter
out as an all-reduce, of twice the bytes: that is the campus fabric's burden, not the spans'.
"""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import new_subgroups_by_enumeration

from workloads.job import Job

Future = torch.futures.Future[torch.Tensor]


@dataclass
class Bucket:
    """A bucket under way: ``whole`` is padded to equal slices, of which ``slice`` is mine."""

    gradients: torch.Tensor
    whole: torch.Tensor
    slice: torch.Tensor
    averaged: Future
    work: dist.Work | None = None

    def wait(self) -> None:
        """Wait for the stage it is in; raises RuntimeError when that failed."""
        if self.work:
            self.work.wait()


class Campuses:
    """The process groups of a job: inside each campus, and across campuses by place.

    Collectives of a group must begin in the same order on all ranks, so each of the three stages
    has a group of its own and begins them from one thread.
    """

    def __init__(self, job: Job) -> None:
        """Create the groups; every rank must do so."""
        sites: dict[str, list[int]] = {}
        for place, rank in enumerate(job.ranks):
            sites.setdefault(rank.site, []).append(place)
        campuses = list(sites.values())
        mine = next(campus for campus in campuses if dist.get_rank() in campus)
        self._place = mine.index(dist.get_rank())
        self._leader = mine[0]
        sizes = set(map(len, campuses))
        self.slices = sizes.pop() if len(sizes) == 1 else 1
        self._crosses = self._place < self.slices and len(campuses) > 1
        across = [list(ranks) for ranks in zip(*campuses, strict=False)][: self.slices]
        # All ranks create all groups, in this order.
        self._alone = len(mine) == 1
        self._gathering, self._spreading, self._across = (
            new_subgroups_by_enumeration(  # type: ignore[no-untyped-call]
                groups, timedelta(seconds=job.timeout_s)
            )[0]
            for groups in (campuses, campuses, across)
        )

    def gather(self, bucket: Bucket) -> dist.Work | None:
        """Begin to sum my slice over my campus."""
        if self._alone:
            return None
        if self.slices == 1:
            return begun(dist.all_reduce(bucket.whole, group=self._gathering, async_op=True))
        work = dist.reduce_scatter_single(
            bucket.slice, bucket.whole, group=self._gathering, async_op=True
        )
        return begun(work)

    def cross(self, bucket: Bucket) -> dist.Work | None:
        """Begin to sum my slice over the campuses."""
        if not self._crosses:
            return None
        return begun(dist.all_reduce(bucket.slice, group=self._across, async_op=True))

    def spread(self, bucket: Bucket) -> dist.Work | None:
        """Begin to hand out the sums inside my campus."""
        if self._alone:
            return None
        if self.slices == 1:
            work = dist.broadcast(bucket.whole, self._leader, self._spreading, async_op=True)
            return begun(work)
        return begun(
            dist.all_gather_single(bucket.whole, bucket.slice, group=self._spreading, async_op=True)
        )


def begun(work: Any) -> dist.Work:
    """Give what a collective returns the type it has, since torch does not."""
    assert isinstance(work, dist.Work), "an asynchronous collective of one's own group"
    return work


class Hierarchy:
    """A hook that takes buckets through three stages, as a pipeline."""

    def __init__(self, job: Job) -> None:
        """Create the groups and start the stages; every rank must do so."""
        self._campuses = Campuses(job)
        self._gathered: queue.SimpleQueue[Bucket | None] = queue.SimpleQueue()
        self._crossed: queue.SimpleQueue[Bucket | None] = queue.SimpleQueue()
        for stage in (self._cross, self._spread):
            threading.Thread(target=stage, daemon=True).start()

    def close(self) -> None:
        """Let the stages end."""
        self._gathered.put(None)

    def average(self, bucket: Any) -> Future:
        """Promise the averaged gradients of a bucket (`torch.distributed.GradBucket`)."""
        gradients = bucket.buffer().div_(dist.get_world_size())
        slices = self._campuses.slices
        size = -(-len(gradients) // slices)
        whole = gradients
        if size * slices != len(gradients):
            whole = torch.zeros(size * slices)
            whole[: len(gradients)] = gradients
        part = whole if slices == 1 else torch.empty(size)
        moving = Bucket(gradients, whole, part, torch.futures.Future())
        moving.work = self._campuses.gather(moving)
        self._gathered.put(moving)
        return moving.averaged

    def _cross(self) -> None:
        """Let each bucket cross as soon as it is summed in the campus; gloo takes two at a time."""
        while bucket := self._gathered.get():
            with failing(bucket):
                bucket.wait()
                bucket.work = self._campuses.cross(bucket)
            self._crossed.put(bucket)
        self._crossed.put(None)

    def _spread(self) -> None:
        while bucket := self._crossed.get():
            if bucket.averaged.done():
                continue  # it failed
            with failing(bucket):
                bucket.wait()
                bucket.work = self._campuses.spread(bucket)
                bucket.wait()
                if bucket.whole is not bucket.gradients:
                    bucket.gradients.copy_(bucket.whole[: len(bucket.gradients)])
                bucket.averaged.set_result(bucket.gradients)


@contextmanager
def failing(bucket: Bucket) -> Iterator[None]:
    """Make an error that of the bucket's backward pass, which raises it as its own."""
    try:
        yield
    except RuntimeError as error:
        traceback.print_exc()
        bucket.averaged.set_exception(error)  # type: ignore[arg-type]
