"""Ranks with data of their own under any strategy; prints their parameters. Run as a script."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from workloads import strategies
from workloads.compute import Pace
from workloads.job import Job
from workloads.model import BATCH, SizedModel
from workloads.train import join

STEPS, LAYERS, RATE = 4, 4, 0.1


def fresh(job: Job) -> tuple[SizedModel, Pace]:
    """Return the model that every rank begins with."""
    torch.manual_seed(job.seed)
    pace = Pace(0, LAYERS)
    return SizedModel(job.gradient_bytes, LAYERS, pace), pace


def data_of(rank: int, step: int, width: int) -> torch.Tensor:
    """Return inputs and targets that differ from rank to rank."""
    random = torch.Generator().manual_seed(1000 * rank + step)
    return torch.randn(2, BATCH, width, generator=random)


def values(model: nn.Module) -> list[float]:
    return [value for parameter in model.parameters() for value in parameter.flatten().tolist()]


def reference(job: Job) -> list[float]:
    """Train in one process by plain gradient descent along the mean of all ranks' gradients."""
    model, pace = fresh(job)
    for step in range(STEPS):
        sums = [torch.zeros_like(parameter) for parameter in model.parameters()]
        for rank in range(len(job.ranks)):
            inputs, targets = data_of(rank, step, model.width)
            pace.begin(time.monotonic_ns())
            model.zero_grad()
            nn.functional.mse_loss(model(inputs), targets).backward()
            for total, parameter in zip(sums, model.parameters(), strict=True):
                assert parameter.grad is not None
                total += parameter.grad
        with torch.no_grad():
            for total, parameter in zip(sums, model.parameters(), strict=True):
                parameter.sub_(RATE * total / len(job.ranks))
    return values(model)


def train(job: Job, rank: int) -> list[float]:
    """Train as one rank among others."""
    join(job, job.ranks[rank])
    model, pace = fresh(job)
    with strategies.load(job.strategy)(model, job) as replica:
        optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
        for step in range(STEPS):
            inputs, targets = data_of(rank, step, model.width)
            replica.begin_step()
            pace.begin(time.monotonic_ns())
            optimizer.zero_grad()
            nn.functional.mse_loss(replica.module(inputs), targets).backward()
            assert replica.first_communication_ns
            optimizer.step()
    dist.destroy_process_group()
    return values(model)


def main() -> None:
    torch.set_num_threads(1)
    job = Job.from_json(sys.argv[1])
    reader: dict[int, int] = {}
    for rank in range(len(job.ranks)):
        inside, outside = os.pipe()
        if (pid := os.fork()) == 0:
            with os.fdopen(outside, "w") as pipe:
                json.dump(train(job, rank), pipe)
            os._exit(0)
        os.close(outside)
        reader[pid] = inside
    ranks: list[Any] = [json.load(os.fdopen(inside)) for inside in reader.values()]
    for pid in reader:
        os.waitpid(pid, 0)
    print(json.dumps({"ranks": ranks, "reference": reference(job)}))


if __name__ == "__main__":
    main()
