"""The launcher: imports torch once, then forks every rank of a job, and of the jobs that follow.

Standard input carries lines: a job as JSON, then ``start`` to let it train, ``kill N`` to kill a
rank as it trains, ``hold N`` to let ranks wait before a step and be told what they have begun,
``go`` to let them go on, ``end N`` to let the job end before a step that none has begun, ``stop``
to end what does not end by itself. When all ranks have gone, another job may follow, or ``clock``,
to be told what time it is; the end of the input ends everything.
Standard output carries one JSON object per line: what the ranks report, when one exits, and when a
job is over. Output of the ranks themselves goes to their logs. Arguments, if any, are the ranks to
fork; the others have launchers elsewhere.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any, NoReturn

from workloads.job import Job, Rank
from workloads.namespace import die_with_parent, enter_network, use_names
from workloads.turnstile import Turnstile

GRACE_S = 2.0
"""How long ranks may take to fail by themselves after one of them died, or once told to stop."""
MAX_REPORT = select.PIPE_BUF
"""A longer write to the shared pipe would not be atomic."""


def report(event: dict[str, Any]) -> None:
    """Write one line that no other rank's line can interrupt."""
    line = json.dumps(event).encode() + b"\n"
    assert len(line) <= MAX_REPORT, "a report must fit an atomic write"
    os.write(sys.stdout.fileno(), line)


def main() -> int:
    """Run jobs until the input ends; return 0 when every rank of the last one finished."""
    # Here, so that every rank inherits them; DistributedDataParallel loads dynamo when constructed.
    import torch._dynamo
    import torch.distributed  # noqa: F401

    from workloads.train import train

    # What is imported stays: a collection in a rank would touch all of it, and so copy its pages.
    gc.collect()
    gc.freeze()
    report({"kind": "imported"})
    own = frozenset(map(int, sys.argv[1:]))
    code, turnstile = 1, Turnstile([], 0)
    # Unbuffered, so that what follows a line is still there for `supervise` to wait for.
    with os.fdopen(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as stdin:
        while line := stdin.readline():
            if line == b"clock\n":
                report({"kind": "clock", "at_ns": time.monotonic_ns()})
            if line.startswith(b"hold "):
                report({"kind": "holding", "begun": turnstile.begun()})
            if not line.startswith(b"{"):
                continue  # it was meant for a job that is over
            job = Job.from_json(line.decode())
            ranks = [it.rank for it in job.ranks if not own or it.rank in own]
            turnstile = Turnstile(ranks, job.steps)
            code = run_job(job, ranks, turnstile, train, stdin)
            turnstile.close()
            report({"kind": "over"})
    return code


def run_job(
    job: Job, own: Collection[int], turnstile: Turnstile, train: Any, stdin: IO[bytes]
) -> int:
    """Fork those of a job's ranks that are in ``own``; return 0 when every one finished."""
    if job.hosts_file:
        use_names(job.hosts_file)
    gate, opener = os.pipe()
    ranks: dict[int, tuple[int, int]] = {}  # pidfd: (rank, pid)
    for rank in job.ranks:
        if rank.rank not in own:
            continue
        pid = os.fork()
        if pid == 0:
            os.close(opener)
            run_rank(job, rank, turnstile, train, gate)
        ranks[os.pidfd_open(pid)] = (rank.rank, pid)
    os.close(gate)
    # Those that may keep something when they fail have as long as they may wait for an exchange.
    grace_s = GRACE_S + (job.timeout_s if job.keep and job.keep.on_failure else 0)
    try:
        return supervise(ranks, opener, turnstile, stdin, grace_s)
    finally:
        for descriptor, (_, pid) in ranks.items():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(descriptor)


def run_rank(job: Job, me: Rank, turnstile: Turnstile, train: Any, gate: int) -> NoReturn:
    """Become one rank; never returns."""
    code = 1
    try:
        die_with_parent()
        Path("/proc/self/comm").write_text(f"rank {me.rank}")
        log = os.open(job.log(me.rank), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        os.dup2(log, sys.stderr.fileno())
        if me.netns:
            enter_network(me.netns)
        train(job, me, report, lambda: os.read(gate, 1), turnstile)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def supervise(
    ranks: dict[int, tuple[int, int]],
    opener: int,
    turnstile: Turnstile,
    stdin: IO[bytes],
    grace_s: float,
) -> int:
    """Open the gate, hold and kill as told, report exits; return 0 when all exited with 0."""
    failed = stopped = False
    deadline = float("inf")
    try:
        while ranks and time.monotonic() < deadline:
            wait_s = None if deadline == float("inf") else max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([*ranks, stdin.fileno()], [], [], wait_s)
            exits = []
            for descriptor in ready:
                if descriptor in ranks:
                    rank, pid = ranks.pop(descriptor)
                    os.close(descriptor)
                    exits.append((os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), rank))
            # One that was killed comes before those that fail because of it.
            for code, rank in sorted(exits):
                report({"kind": "exit", "rank": rank, "code": code})
                failed |= code != 0
            if stdin.fileno() in ready:
                word, _, number = stdin.readline().decode().strip().partition(" ")
                if not word:
                    return 1
                if word == "start" and opener >= 0:
                    os.close(opener)
                    opener = -1
                elif word == "kill":
                    for descriptor, (rank, _) in ranks.items():
                        if rank == int(number):
                            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                elif word == "hold":
                    report({"kind": "holding", "begun": turnstile.hold(int(number))})
                elif word == "end":
                    turnstile.end(int(number))
                elif word == "go":
                    turnstile.go()
                stopped |= word == "stop"
            if failed or stopped:
                turnstile.go()  # those that wait notice nothing of it
                deadline = min(deadline, time.monotonic() + grace_s)
        return 1 if ranks or failed else 0
    finally:
        if opener >= 0:
            os.close(opener)


if __name__ == "__main__":
    os._exit(main())  # taking torch apart takes half a second of processor time
