"""The launcher: imports torch once, then forks every rank of a job.

Standard input carries the job as one line of JSON, then a second line to start training; its end
ends the job. Standard output carries one JSON object per line: what the ranks report, and when one
exits. Output of the ranks themselves goes to their logs. Arguments, if any, are the ranks to fork;
the others of the job have launchers elsewhere, and this one, which a container lives by, waits for
the end of its input.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
import traceback
from typing import Any, NoReturn

from workloads.job import Job, Rank
from workloads.namespace import die_with_parent, enter_network, use_names

GRACE_S = 2.0
"""How long the others may take to fail by themselves after one rank died."""
MAX_REPORT = select.PIPE_BUF
"""A longer write to the shared pipe would not be atomic."""


def report(event: dict[str, Any]) -> None:
    """Write one line that no other rank's line can interrupt."""
    line = json.dumps(event).encode() + b"\n"
    assert len(line) <= MAX_REPORT, "a report must fit an atomic write"
    os.write(sys.stdout.fileno(), line)


def main() -> int:
    """Run one job; return 0 when every rank finished."""
    # Here, so that every rank inherits them; DistributedDataParallel loads dynamo when constructed.
    import torch._dynamo
    import torch.distributed  # noqa: F401

    from workloads.train import train

    report({"kind": "imported"})
    # Unbuffered, so that what follows the job is still there for `supervise`.
    with os.fdopen(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as stdin:
        line = stdin.readline()
    if not line:
        return 1
    job = Job.from_json(line.decode())
    if job.hosts_file:
        use_names(job.hosts_file)
    gate, opener = os.pipe()
    ranks: dict[int, tuple[int, int]] = {}  # pidfd: (rank, pid)
    contained = bool(sys.argv[1:])
    here = set(map(int, sys.argv[1:])) if contained else {rank.rank for rank in job.ranks}
    for rank in job.ranks:
        if rank.rank not in here:
            continue
        pid = os.fork()
        if pid == 0:
            os.close(opener)
            run_rank(job, rank, train, gate)
        ranks[os.pidfd_open(pid)] = (rank.rank, pid)
    os.close(gate)
    try:
        code = supervise(ranks, opener)
        while contained and os.read(sys.stdin.fileno(), 4096):
            continue
        return code
    finally:
        for _, pid in ranks.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def run_rank(job: Job, me: Rank, train: Any, gate: int) -> NoReturn:
    """Become one rank; never returns."""
    code = 1
    try:
        die_with_parent()
        log = os.open(job.log(me.rank), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        os.dup2(log, sys.stderr.fileno())
        if me.netns:
            enter_network(me.netns)
        train(job, me, report, lambda: os.read(gate, 1))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def supervise(ranks: dict[int, tuple[int, int]], opener: int) -> int:
    """Open the gate when told to, report exits; return 0 when every rank exited with 0."""
    stdin = sys.stdin.fileno()
    failed = False
    deadline = float("inf")
    while ranks and time.monotonic() < deadline:
        wait_s = max(0.0, deadline - time.monotonic()) if failed else None
        ready, _, _ = select.select([*ranks, stdin], [], [], wait_s)
        exits = []
        for descriptor in ready:
            if descriptor in ranks:
                rank, pid = ranks.pop(descriptor)
                os.close(descriptor)
                exits.append((os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), rank))
        # One that was killed comes before those that fail because of it.
        for code, rank in sorted(exits):
            report({"kind": "exit", "rank": rank, "code": code})
            if code and not failed:
                failed, deadline = True, time.monotonic() + GRACE_S
        if stdin in ready:
            if not os.read(stdin, 4096):
                return 1
            if opener >= 0:
                os.close(opener)
            opener = -1
    return 1 if failed else 0


if __name__ == "__main__":
    os._exit(main())  # taking torch apart takes half a second of processor time
