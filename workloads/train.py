"""The training loop of one rank, top to bottom."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from xxhash import xxh3_64

from workloads import strategies, tasks
from workloads.exchange.replica import Replica
from workloads.failure import reason
from workloads.job import Job, Rank
from workloads.keeping import keeping
from workloads.turnstile import Turnstile
from workloads.wire import counters_of


def train(
    job: Job,
    me: Rank,
    report: Callable[[dict[str, Any]], None],
    wait: Callable[[], None],
    turnstile: Turnstile,
) -> None:
    """Train one rank; call ``report`` with what happens and ``wait`` when ready to start.

    Between steps it passes the ``turnstile``, which says where the job ends.

    Raises RuntimeError when a collective fails or takes longer than the job's timeout.
    """
    torch.set_num_threads(1)
    torch.manual_seed(job.seed)
    begin_ns = time.monotonic_ns()
    with telling(me, report):
        join(job, me)
    lesson = tasks.lesson(job, me)
    pace = lesson.pace
    with (
        counters_of(me.interface) as moved,
        strategies.around(lesson.model, job) as replica,
        telling(me, report, replica),
        keeping(job, me, replica) as kept,
    ):
        batch = lesson.batches(me.rank if replica.shard is None else replica.shard, replica.rows)
        optimizer = kept.optimizer
        report(
            {
                "kind": "ready",
                "rank": me.rank,
                "setup_ns": time.monotonic_ns() - begin_ns,
                "first_step": kept.next_step,
                "received_bytes": kept.received_bytes,
            }
        )
        wait()
        for step in kept.through(turnstile.steps(me.rank, kept.next_step)):
            start_ns, before = time.monotonic_ns(), moved()
            replica.step = step
            replica.begin_step()
            pace.begin(start_ns, job.declared_ns(me, step))
            agreed = bits_of(replica.agreed())
            inputs, targets = batch(step)
            optimizer.zero_grad()
            loss = replica.learn(inputs, targets, lesson.loss, pace.declared_ns)
            reduced_ns = time.monotonic_ns()
            computed_ns = replica.computed_ns or pace.computed_ns
            optimizer.step()
            kept.next_step = step + 1
            updated_ns = time.monotonic_ns()
            replica.end_step(step)
            end_ns = time.monotonic_ns()
            record = {
                "kind": "step",
                "rank": me.rank,
                "step": step,
                "start_ns": start_ns,
                "end_ns": end_ns,
                # A step that sent nothing belongs where it ended.
                "first_communication_ns": replica.first_communication_ns or end_ns,
                "compute_ns": (computed_ns - start_ns) + (updated_ns - reduced_ns),
                "computed_ns": computed_ns,
                "exposed_communication_ns": (reduced_ns - computed_ns) + (end_ns - updated_ns),
                "exchanges": [meeting.after(start_ns) for meeting in replica.met()],
                **moved().since(before)._asdict(),
                "declared_ns": pace.declared_ns,
                "late_ns": pace.late_ns if replica.paced else 0,
                "loss": loss,
                "hash": agreed,
                **replica.notes,
            }
            if replica.among:
                record["among"] = replica.among
            if replica.divergence is not None:
                record["divergence"] = replica.divergence
            report(record)
        replica.finish()
        report({"kind": "trained", "rank": me.rank, "hash": bits_of(replica.agreed())})
    dist.destroy_process_group()


@contextmanager
def telling(
    me: Rank, report: Callable[[dict[str, Any]], None], replica: Replica | None = None
) -> Iterator[None]:
    """Report what failed before the error goes on: an exchange in a step, or joining the others."""
    try:
        yield
    except RuntimeError as error:
        where = {"step": replica.step, "in": replica.waits_for()} if replica else {"step": None}
        report({"kind": "failed", "rank": me.rank, **where, "error": reason(error)})
        raise


def join(job: Job, me: Rank) -> None:
    """Join the process group of all ranks over gloo, through the rank's own interface."""
    os.environ["GLOO_SOCKET_IFNAME"] = me.interface
    dist.init_process_group(
        "gloo",
        init_method=f"tcp://{job.ranks[0].address}:{job.port}",
        rank=job.place(me),
        world_size=len(job.ranks),
        timeout=timedelta(seconds=job.timeout_s),
    )


def bits_of(tensors: Iterable[torch.Tensor] | None) -> str | None:
    """Return 64 bits of hash of every bit of some tensors; None of none.

    Nobody forges parameters, so XXH3: as good against accidents as SHA-256, in a thirtieth of its
    time (https://xxhash.com).
    """
    if tensors is None:
        return None
    digest = xxh3_64()
    for tensor in tensors:
        digest.update(tensor.detach().numpy().data)
    return digest.hexdigest()
