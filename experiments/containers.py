"""Where ranks run: forked into namespaces on this machine, or each in a container of its own."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import workloads
from experiments.components import Component
from experiments.launching import Launcher
from experiments.record import Record
from experiments.runtimespec import RuntimeSpec
from experiments.training import Training
from experiments.twin import Twin
from topologies.emulation.containers.container import Container, Limits, Plan, containers
from topologies.emulation.containers.engine import open_engine
from topologies.emulation.containers.image import rank_image
from topologies.emulation.containers.mounts import Mount, python_mounts
from topologies.emulation.errors import MachineError
from workloads.job import Job

ROOT = Path(workloads.__file__).parents[1]
DOCKERFILE = ROOT / "workloads" / "Dockerfile"


@contextmanager
def training_in(
    runtime: RuntimeSpec,
    twin: Twin,
    hosts_file: Path,
    record: Record,
    logs: Path,
    stage: Callable[[str], None],
) -> Iterator[tuple[Training, Mapping[str, int]]]:
    """Start the launchers of a runtime; yield the training, and the processes of hosts that run.

    Logs of what may outlive the run go to ``logs``. ``hosts_file`` holds all machines' names and
    lies in the run's private folder; ``stage`` hears what takes long. Raises MachineError for what
    containers need and this machine lacks, EmulationError when one does not come up.
    """
    with ExitStack() as stack:
        if runtime.name == "namespace":
            training = Training(logs / "launcher.log")
            stack.callback(training.close)
            yield training, {}
            return
        limits = Limits(runtime.memory_bytes, runtime.processors)
        if limits.cpus > (there := os.cpu_count() or 1):
            raise MachineError(
                f"emulate.runtime.cpus is {limits.cpus:g}, and this machine has {there} processors"
            )
        stage("starting the containers")
        engine = stack.enter_context(open_engine(hosts_file.parent, record.logs / "engine.log"))
        image = rank_image(engine, DOCKERFILE, stage)
        hosts = [host.name for host in twin.graph.workers]
        plans = plans_for(hosts, hosts_file, record.logs.resolve())
        begun = stack.enter_context(containers(engine, image, plans, limits))
        launchers = [
            Launcher(
                container.start_command,
                record.logs / f"launcher-{rank}.log",
                f"the container of rank {rank} ({container.host})",
                container.why,
            )
            for rank, container in enumerate(begun)
        ]
        training = ContainedTraining(launchers, begun, engine.pid, record)
        stack.callback(training.close)
        for container in begun:
            container.find()
        record.event(
            "containers up",
            engine={"version": engine.version, "own": engine.pid is not None},
            image=image,
            memory_bytes=limits.memory_bytes,
            cpus=limits.cpus,
        )
        yield training, {container.host: container.pid for container in begun}


class ContainedTraining(Training):
    """A job whose ranks each have a launcher in a container, whose network and names are theirs."""

    def __init__(
        self,
        launchers: Sequence[Launcher],
        begun: Sequence[Container],
        engine: int | None,
        record: Record,
    ) -> None:
        """Take the launchers, their containers in the same order, and where to note their usage.

        ``engine`` is the process of a Docker engine of the run's own.
        """
        super().__init__(record.logs / "launcher.log", launchers)
        self._begun, self._engine, self._record = list(begun), engine, record

    def components(self) -> Iterator[tuple[Component, int]]:
        """Yield what it consists of, each before those that end with it; see `Training`."""
        if self._engine is not None:
            yield Component("container engine", "the Docker engine"), self._engine
        for launcher, container in zip(self._launchers, self._begun, strict=True):
            yield Component("container", launcher.name, launcher.why), container.pid
        yield from super().components()

    def assign(self, job: Job) -> None:
        """Give the job; see `Training.assign`."""
        ranks = tuple(replace(rank, netns=None) for rank in job.ranks)
        keep = job.keep and replace(job.keep, folder="/tmp")  # which each container has its own of
        super().assign(replace(job, ranks=ranks, hosts_file=None, keep=keep))

    def close(self) -> None:
        """Note what each container came to, beside its limits, then end it."""
        for rank, container in enumerate(self._begun):
            if used := container.usage():
                self._record.event(
                    "container",
                    rank=rank,
                    host=container.host,
                    memory_peak_bytes=used.memory_peak_bytes,
                    throttled_s=round(used.throttled_s, 3),
                )
        self._begun = []
        super().close()


def plans_for(hosts: Sequence[str], hosts_file: Path, logs: Path) -> list[Plan]:
    """Return what each worker's container runs: a launcher of its rank alone, as this Python would.

    It sees the interpreter and the packages of this one read-only, and may write logs only.
    """
    mounts = [
        *python_mounts(
            executable=Path(sys.executable).resolve(),
            base_prefix=Path(sys.base_prefix),
            prefix=Path(sys.prefix),
            stdlib=Path(sysconfig.get_path("stdlib")),
            path=[Path(entry) for entry in sys.path if entry],
            root=ROOT,
            packages=["workloads"],
        ),
        Mount(hosts_file, Path("/etc/hosts")),
        # Empty, it stands for a name server on loopback, where a question is refused at once.
        Mount(Path("/dev/null"), Path("/etc/resolv.conf")),
        Mount(logs, logs, writable=True),
    ]
    command = (sys.executable, "-BIm", "workloads")
    return [Plan(host, (*command, str(rank)), tuple(mounts)) for rank, host in enumerate(hosts)]
