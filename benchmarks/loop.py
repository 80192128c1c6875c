"""What the training loop itself costs: a rank's step beside the same step in a loop of plain torch.

Six ranks on loopback. Both keep the same model to the same pace under DistributedDataParallel; ours
hashes parameters, reads counters, notes every exchange and reports each step besides. Run as a
script with a job, this module is the plain loop.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.scoreboard import Study, Table, Target
from workloads.job import Job, Rank

RANKS, STEPS, WARM_UP = 6, 40, 5
COMPUTE_NS = 200_000_000
OVERHEAD_MS = 2.0


def run(quick: bool) -> Study:
    """Train with either loop in turn; in every other round, the other one first."""
    study = Study("loop", "The training loop")
    table = Table(["round", "ours, ms", "plain torch, ms", "difference, ms"])
    differences = []
    for number in range(1 if quick else 5):
        with TemporaryDirectory(prefix="spanlab-benchmarks-") as folder:
            order = MODULES[:: -1 if number % 2 else 1]
            took_ms = {module: 1e3 * took_s(folder, module) for module in order}
        ours_ms, plain_ms = (took_ms[module] for module in MODULES)
        differences.append(ours_ms - plain_ms)
        table.rows.append([number + 1, ours_ms, plain_ms, differences[-1]])
    study.tables.append(table)
    study.targets.append(
        Target("a step's overhead, 6 ranks", median(differences), OVERHEAD_MS, unit="ms")
    )
    study.remarks.append(
        f"Medians of {STEPS - WARM_UP} steps of all ranks, each of {COMPUTE_NS / 1e6:.0f} ms of "
        "declared compute and 2 MB of gradients; from one step's end to the next."
    )
    study.raw = {"differences_ms": differences}
    return study


MODULES = ("workloads", "benchmarks.loop")


def took_s(folder: str, module: str) -> float:
    """Train by a module that takes a job as the launcher does; return its median step."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    job = Job(
        ranks=tuple(Rank(rank, "here", f"w{rank}", "127.0.0.1", "lo") for rank in range(RANKS)),
        strategy="ddp",
        gradient_bytes=2_000_000,
        bucket_bytes=500_000,
        compute_ns=COMPUTE_NS,
        steps=STEPS,
        seed=1,
        timeout_s=30.0,
        port=port,
        hosts_file=None,
        log_folder=folder,
    )
    ends_ns: dict[int, int] = {}
    with subprocess.Popen(
        [sys.executable, "-m", module],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as trained:
        assert trained.stdin and trained.stdout
        trained.stdin.write(f"{job.to_json()}\nstart\n")
        trained.stdin.flush()  # and stays open: its end would end the job
        for line in trained.stdout:
            event = json.loads(line)
            if event["kind"] == "step":
                ends_ns[event["step"]] = max(ends_ns.get(event["step"], 0), event["end_ns"])
            if event["kind"] == "over":
                trained.stdin.close()
    steps = range(WARM_UP, STEPS)
    return median(ends_ns[step] - ends_ns[step - 1] for step in steps) / 1e9


def plain(job: Job, me: Rank) -> list[int]:
    """Train one rank with nothing but torch; return when each step ended."""
    import torch
    from torch.nn.parallel import DistributedDataParallel

    from workloads import tasks
    from workloads.train import join

    torch.set_num_threads(1)
    torch.manual_seed(job.seed)
    join(job, me)
    lesson = tasks.lesson(job, me)
    batch = lesson.batches(me.rank, None)
    model = DistributedDataParallel(
        lesson.model, bucket_cap_mb=job.bucket_bytes / 2**20, gradient_as_bucket_view=True
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    ends_ns = []
    for step in range(job.steps):
        lesson.pace.begin(time.monotonic_ns())
        inputs, targets = batch(step)
        optimizer.zero_grad()
        loss = lesson.loss(model(inputs), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        loss.item()  # as anybody's loop that tells of its loss
        optimizer.step()
        ends_ns.append(time.monotonic_ns())
    return ends_ns


def main() -> None:
    """Read a job, train it with the plain loop, tell of its steps as the launcher does."""
    import torch._dynamo  # noqa: F401

    job = Job.from_json(sys.stdin.readline())
    children = []
    for me in job.ranks:
        if (pid := os.fork()) == 0:
            lines = [
                json.dumps({"kind": "step", "rank": me.rank, "step": step, "end_ns": end_ns})
                for step, end_ns in enumerate(plain(job, me))
            ]
            os.write(sys.stdout.fileno(), ("\n".join(lines) + "\n").encode())
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
