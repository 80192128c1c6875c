"""Where the workers of a cluster come from: they are there, or a file says how to start them.

A file holds ``ssh`` (machines to log in to) or ``slurm`` (jobs to submit); the scheduler then runs
in this process, and workers end when it does.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from topologies.files import FileModel, read_model
from topologies.units import Duration, Size

RESOURCE = "emulation"
"""What a worker offers one of, and a point takes while it runs."""
OFFER = ("--resources", f"{RESOURCE}=1")

Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9@._-]*$")]
"""Of ssh, too: none may look like an option."""


class SshSpec(FileModel):
    """Machines to log in to, without a password, each of which starts a worker."""

    hosts: tuple[Host, ...] = Field(strict=False, min_length=1, max_length=1000)
    spanlab: str = Field(description="the launcher's path on these machines")
    options: tuple[str, ...] = Field((), strict=False, description="of ssh, such as -p and 2222")


class SlurmSpec(FileModel):
    """Jobs to submit to Slurm, each of which is a worker on a node of its own."""

    jobs: int = Field(ge=1, le=1000)
    python: str = Field(sys.executable, description="of spanlab on the nodes, perhaps after sudo")
    cpus: int = Field(2, ge=1, description="of each job")
    memory: Size = 4 * 10**9
    walltime: Duration = Field(4 * 3600 * 10**9, gt=0)
    partition: str | None = None
    account: str | None = None
    directives: tuple[str, ...] = Field(("--exclusive",), strict=False, description="of sbatch")

    def cluster_options(self) -> dict[str, Any]:
        """Return what dask-jobqueue's SLURMCluster is given."""
        minutes = -(-self.walltime // (60 * 10**9))
        return {
            "cores": 1,  # threads of the worker, which takes one point at a time
            "processes": 1,
            "job_cpu": self.cpus,
            "memory": f"{self.memory} B",
            "walltime": f"{minutes // 60:02d}:{minutes % 60:02d}:00",
            "queue": self.partition,
            "account": self.account,
            "python": self.python,
            "job_extra_directives": list(self.directives),
            "worker_extra_args": list(OFFER),
        }


class ClusterSpec(FileModel):
    """Workers to start for a sweep."""

    ssh: SshSpec | None = None
    slurm: SlurmSpec | None = None
    host: Host | None = Field(None, description="this machine's name or address for the workers")

    @model_validator(mode="after")
    def _one_kind(self) -> ClusterSpec:
        if (self.ssh is None) == (self.slurm is None):
            raise ValueError("must hold ssh or slurm, one of them")
        return self


def cluster_of(text: str) -> str | ClusterSpec:
    """Return the address of a scheduler, or what a file says; raises FileError for a bad file."""
    return text if "://" in text else read_model(Path(text), ClusterSpec)


@contextmanager
def workforce(spec: str | ClusterSpec, logs: Path) -> Iterator[str]:
    """Yield the address of a scheduler: that given, or that of the workers which are asked for.

    What workers that were started say goes to files in ``logs``.
    """
    if isinstance(spec, str):
        yield spec
        return
    logs.mkdir(exist_ok=True)
    options = {"host": spec.host, "port": 0, "dashboard": False}
    with ExitStack() as stack:
        if spec.slurm:
            from dask_jobqueue.slurm import SLURMCluster

            jobs = SLURMCluster(
                scheduler_options=options,
                log_directory=str(logs.resolve()),
                **spec.slurm.cluster_options(),
            )
            stack.enter_context(jobs)
            jobs.scale(jobs=spec.slurm.jobs)
            yield jobs.scheduler_address
        else:
            assert spec.ssh is not None, "checked when read"
            from distributed import Scheduler, SpecCluster

            own = SpecCluster(
                {}, {"cls": Scheduler, "options": options}, silence_logs=logging.CRITICAL
            )
            stack.enter_context(own)
            for host in spec.ssh.hosts:
                command = ssh_command(spec.ssh, host, own.scheduler_address)
                with (logs / f"{host}.log").open("ab") as log:
                    login = subprocess.Popen(
                        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                    )
                stack.callback(_end, login)
            yield own.scheduler_address


def ssh_command(spec: SshSpec, host: str, address: str) -> Sequence[str]:
    """Return what starts a worker on a machine."""
    quiet = ("-o", "BatchMode=yes", "-o", "ServerAliveInterval=30")
    return ["ssh", *quiet, *spec.options, "--", host, spec.spanlab, "worker", address]


def _end(login: subprocess.Popen[bytes]) -> None:
    login.terminate()
    login.wait()
