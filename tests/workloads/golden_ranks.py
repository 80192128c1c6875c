"""Ranks with data of their own under any strategy; prints their parameters. Run as a script.

A rank that fails ends all, and its traceback is on standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.tensor import DTensor

from tests.workloads.sockets import received
from workloads import strategies, tasks
from workloads.compute import Pace
from workloads.job import Job
from workloads.lesson import Batches, Lesson
from workloads.model import BATCH, SizedModel
from workloads.train import bits_of, join


def fresh(job: Job, layers: int) -> tuple[SizedModel, Pace]:
    """Return the model that every rank begins with."""
    torch.manual_seed(job.seed)
    pace = Pace(0, layers)
    return SizedModel(job.gradient_bytes, layers, pace), pace


def data_of(rank: int, step: int, width: int, rows: int = BATCH) -> torch.Tensor:
    """Return inputs and targets that differ from rank to rank."""
    random = torch.Generator().manual_seed(1000 * rank + step)
    return torch.randn(2, rows, width, generator=random)


def lesson_of(job: Job, rank: int, layers: int) -> Lesson:
    """Return what a rank trains: the synthetic model on other data, or another task as it is."""
    if job.task != "synthetic":
        torch.manual_seed(job.seed)
        return tasks.lesson(job, job.ranks[rank])
    model, pace = fresh(job, layers)

    def batches(shard: int, rows: int | None) -> Batches:
        def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
            inputs, targets = data_of(shard, step, model.width, rows or BATCH)
            return inputs, targets

        return batch

    return Lesson(model, pace, batches, nn.functional.mse_loss)


def values(model: nn.Module) -> torch.Tensor:
    """Return all parameters in a row, gathered where ranks hold shares of them."""
    whole = [it.full_tensor() if isinstance(it, DTensor) else it for it in model.parameters()]
    return torch.cat([parameter.detach().flatten() for parameter in whole])


def train(job: Job, rank: int, layers: int, *, tells_values: bool) -> dict[str, Any]:
    """Train as one rank among others; return its parameters after each step, and more."""
    join(job, job.ranks[rank])
    lesson = lesson_of(job, rank, layers)
    model, pace = lesson.model, lesson.pace
    told = ("values", "agreed", "among", "communicated", "overlapped", "divergence", "notes")
    found: dict[str, Any] = {key: [] for key in told}
    with strategies.around(model, job) as replica:
        batch = lesson.batches(rank if replica.shard is None else replica.shard, replica.rows)
        optimizer = replica.optimizer()
        dist.barrier()
        before = received(job.port)
        dist.barrier()  # nobody sends gradients before all have counted
        for step in range(job.steps):
            inputs, targets = batch(step)
            replica.begin_step()
            pace.begin(time.monotonic_ns())
            optimizer.zero_grad()
            replica.learn(inputs, targets, lesson.loss, 0)
            optimizer.step()
            replica.end_step(step)
            if tells_values:
                found["values"].append(values(model).tolist())
            found["agreed"].append(bits_of(replica.agreed()))
            found["among"].append(replica.among)
            found["communicated"].append(replica.first_communication_ns > 0)
            found["overlapped"].append(replica.first_communication_ns < pace.computed_ns)
            found["divergence"].append(replica.divergence)
            found["notes"].append(replica.notes)
        replica.finish()
        dist.barrier()  # a server has then answered everybody
        found["received"] = {
            ports: count - before.get(ports, 0) for ports, count in received(job.port).items()
        }
        dist.barrier()
    dist.destroy_process_group()
    return found


def forked(work: Callable[[], Any]) -> int:
    """Begin work in a process of its own; return a pipe with what it gives, as JSON."""
    inside, outside = os.pipe()
    if os.fork() == 0:
        with os.fdopen(outside, "w") as pipe:
            json.dump(work(), pipe)
        os._exit(0)
    os.close(outside)
    return inside


def given(inside: int) -> Any:
    with os.fdopen(inside) as pipe:
        answer = json.load(pipe)
    os.wait()
    return answer


def main() -> None:
    """Train one job after the other, a line of standard input each; torch is imported once."""
    import torch._dynamo
    import torch.distributed.fsdp
    import torch.distributed.pipelining

    from tests.workloads.references import reference

    torch.set_num_threads(1)
    for line in sys.stdin:
        text, layers, tell = json.loads(line)
        job, wanted = Job.from_json(text), tell == "values"
        pipes = [
            forked(partial(train, job, rank, layers, tells_values=wanted))
            for rank in range(len(job.ranks))
        ]
        ranks = [given(pipe) for pipe in pipes]
        notes = [rank["notes"] for rank in ranks]
        expected = given(forked(partial(reference, job, layers, notes))) if wanted else None
        print(json.dumps({"ranks": ranks, "reference": expected}), flush=True)


if __name__ == "__main__":
    main()
