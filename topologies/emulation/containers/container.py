"""Containers of a run: created and limited alike, started together, gone with the run."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from topologies.emulation.containers import cgroup
from topologies.emulation.containers.engine import Engine
from topologies.emulation.containers.mounts import Mount
from topologies.emulation.errors import EmulationError
from topologies.emulation.ownership import MARK

LABEL = "spanlab.run"
"""Of every container: the id of its run."""
CPUS_STEP = 0.01
"""The least share of a processor that a limit can tell apart."""
_START_TIMEOUT_S, _PAGE_BYTES = 30.0, os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Limits:
    """What a container may use: bytes of memory, swap included, and processors."""

    memory_bytes: int
    cpus: float


@dataclass(frozen=True)
class Plan:
    """A container to be: its host's name, its command, and what it sees of this machine."""

    host: str
    command: tuple[str, ...]
    mounts: tuple[Mount, ...]


class Container:
    """A container that was created; `start_command` starts it, `find` waits until it runs.

    Attributes:
        host: the host that it is.
        pid: its first process, as this machine counts; 0 until it runs.
    """

    def __init__(self, engine: Engine, host: str, name: str, limits: Limits) -> None:
        """Take what `docker create` answered."""
        self.host, self.pid = host, 0
        self._engine, self._name, self._limits = engine, name, limits
        self._process = -1

    @property
    def start_command(self) -> list[str]:
        """The command that starts it and is its standard input and outputs until it ends."""
        return self._engine.command("start", "--attach", "--interactive", self._name)

    def find(self) -> None:
        """Wait until it runs; raises EmulationError if it does not, or not within its limits."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            found = self._state("{{.State.Status}} {{.State.Pid}} {{.State.Error}}")
            state, pid, *error = found.split(maxsplit=2)
            if state == "running":
                break
            if error or state != "created" or time.monotonic() > deadline:
                said = error[0] if error else self.why() or "the engine does not say why"
                raise EmulationError(f"the container of {self.host} is {state}: {said}")
            time.sleep(0.02)
        self.pid = int(pid)
        with contextlib.suppress(OSError):
            self._process = os.pidfd_open(self.pid)
        while not self._is_ours():
            if time.monotonic() > deadline or self._process < 0:
                raise EmulationError(
                    f"the container of {self.host} does not run on this machine, as far as can be "
                    f"seen from here: the engine at {self._engine.address} is elsewhere, or in a "
                    "virtual machine"
                )
            time.sleep(0.02)  # its first process is just beginning
        self._check_limits()

    def usage(self) -> cgroup.Usage | None:
        """Return what it used so far; None when it has ended."""
        try:
            return cgroup.usage(self.pid)
        except OSError:
            return None

    def why(self) -> str | None:
        """Say what ended it, or something in it, where that is known and not its own doing."""
        used = self.usage()
        killed = used is not None and used.killed > 0
        if not killed:
            try:
                killed = self._state("{{.State.OOMKilled}}") == "true"
            except EmulationError:
                return "the Docker engine does not answer any more"
        if killed:
            megabytes = self._limits.memory_bytes / 1e6
            return (
                f"out of memory: its container may hold {megabytes:g} MB (emulate.runtime.memory)"
            )
        return None

    def kill(self) -> None:
        """End it without the engine, which may be gone: its other processes go with the first."""
        if self._process >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)
            os.close(self._process)
            self._process = -1

    def _is_ours(self) -> bool:
        """Ask whether the process with its number on this machine carries the run's mark."""
        try:
            environment = Path(f"/proc/{self.pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False
        return f"{MARK}={os.environ[MARK]}".encode() in environment

    def _check_limits(self) -> None:
        used = self.usage()
        if used is None:
            return  # it has ended already; whoever waits for it will say so
        memory_bytes = self._limits.memory_bytes // _PAGE_BYTES * _PAGE_BYTES
        alike = used.cpus is not None and abs(used.cpus - self._limits.cpus) < CPUS_STEP
        if used.memory_limit_bytes != memory_bytes or not alike:
            raise EmulationError(
                f"the container of {self.host} is not held to {self._limits}; in force are "
                f"{used.memory_limit_bytes} bytes and {used.cpus} processors"
            )

    def _state(self, form: str) -> str:
        return self._engine.ask("inspect", "--format", form, self._name, timeout_s=10)


@contextmanager
def containers(
    engine: Engine, image: str, plans: Sequence[Plan], limits: Limits
) -> Iterator[list[Container]]:
    """Create a run's containers; remove them after, and what runs in them.

    Raises EmulationError when one cannot be created.
    """
    run = os.environ[MARK]
    created: list[Container] = []
    try:
        for plan in plans:
            name = engine.ask("create", *_options(plan, limits, run), image, *plan.command)
            created.append(Container(engine, plan.host, name, limits))
        yield created
    finally:
        for container in created:
            container.kill()
        remove(engine, run)


def remove(engine: Engine, run: str) -> bool:
    """Remove every container of a run, and none else; return whether the engine could be asked.

    One that does not answer has none that run; what it remembers of them stays.
    """
    label = ("--filter", f"label={LABEL}={run}")
    try:
        names = engine.ask("ps", "--all", "--quiet", "--no-trunc", *label, timeout_s=10).split()
        if names:
            engine.ask("rm", "--force", "--volumes", *names)
    except (EmulationError, OSError):
        return False
    return True


def _options(plan: Plan, limits: Limits, run: str) -> list[str]:
    """Return the options of `docker create`: no network but what is moved in, nothing to write."""
    mounts = [word for mount in plan.mounts for word in ("--mount", str(mount))]
    return [
        *("--interactive", "--hostname", plan.host, "--name", f"spanlab-{run}-{plan.host}"),
        *("--label", f"{LABEL}={run}", "--env", f"{MARK}={run}", "--log-driver", "none"),
        *("--network", "none", "--read-only", "--tmpfs", "/tmp"),
        # Its root may read what is mounted, whoever owns that, and nothing else that root may.
        *("--cap-drop", "ALL", "--cap-add", "DAC_OVERRIDE"),
        *("--security-opt", "no-new-privileges"),
        *("--memory", str(limits.memory_bytes), "--memory-swap", str(limits.memory_bytes)),
        *("--cpus", f"{limits.cpus:g}"),
        *mounts,
    ]
