"""The Docker engine: the one that runs on this machine, or one that the run starts for itself.

A run's own engine keeps its sockets and state in the run's folder and leaves the machine's network
alone: no bridge, no packet filter, no forwarding. Only its images stay, for the next run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from topologies.emulation.containers import cgroup
from topologies.emulation.containers.slots import data_root
from topologies.emulation.errors import EmulationError, MachineError
from topologies.emulation.ownership import end_marked

DEFAULT_SOCKET = Path("/var/run/docker.sock")
RECORD, CONFIGURATION = "engine", "docker.json"
"""Files in a run's folder: the address of the machine's engine, or the settings of its own."""
_ENGINE_MARK = "SPANLAB_ENGINE"
"""Carried by the run's own engine and what that starts, beside the run's mark."""
_START_TIMEOUT_S, _STOP_TIMEOUT_S, _ANSWER_TIMEOUT_S = 60.0, 10.0, 10.0
_TAIL_CHARACTERS = 1500


class Engine:
    """An engine that answers.

    Attributes:
        address: its socket, as ``docker --host`` takes it.
        pid: its process, where the run started it; None where it is the machine's.
    """

    def __init__(self, address: str, pid: int | None = None) -> None:
        """Take the address of an engine; it is not asked anything yet."""
        self.address, self.pid = address, pid

    def command(self, *arguments: str) -> list[str]:
        """Return a command of the ``docker`` client to this engine."""
        return ["docker", "--host", self.address, *arguments]

    def ask(self, *arguments: str, timeout_s: float = 60.0) -> str:
        """Run a command of the client and return what it prints; raises EmulationError."""
        try:
            done = subprocess.run(
                self.command(*arguments),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired:
            raise EmulationError(
                f"docker {arguments[0]}: no answer from the engine within {timeout_s:g} s"
            ) from None
        if done.returncode:
            said = done.stderr.strip()[-_TAIL_CHARACTERS:]
            raise EmulationError(f"docker {arguments[0]} failed: {said}")
        return done.stdout.strip()

    @property
    def version(self) -> str | None:
        """Its version; None when it does not answer."""
        try:
            return self.ask(
                "version", "--format", "{{.Server.Version}}", timeout_s=_ANSWER_TIMEOUT_S
            )
        except (EmulationError, OSError):
            return None


def running_engine() -> Engine | None:
    """Return the engine that runs on this machine, or None.

    That is the one at ``DOCKER_HOST``, or else at /var/run/docker.sock. Raises MachineError for a
    ``DOCKER_HOST`` that is another machine's or does not answer.
    """
    if address := os.environ.get("DOCKER_HOST"):
        if not address.startswith("unix://"):
            raise MachineError(
                f"DOCKER_HOST is {address}: containers must run on this machine, where the network "
                "is; unset it, or let it be unix://SOCKET"
            )
        _need("docker")
        if not Engine(address).version:
            raise MachineError(f"no Docker engine answers at DOCKER_HOST={address}; start or unset")
        return Engine(address)
    if DEFAULT_SOCKET.is_socket() and shutil.which("docker"):
        engine = Engine(f"unix://{DEFAULT_SOCKET}")
        return engine if engine.version else None
    return None


def can_start() -> bool:
    """Ask whether this machine has what a run needs to start an engine of its own."""
    return all(shutil.which(command) for command in ("docker", "dockerd", "containerd", "runc"))


@contextmanager
def open_engine(folder: Path, log: Path) -> Iterator[Engine]:
    """Yield the machine's engine, or one started for this run and stopped after.

    ``folder`` is the run's private one, whose name is the run's id; ``log`` takes what an engine of
    the run's own says. Raises MachineError when there is none and none can be started.
    """
    if engine := running_engine():
        (folder / RECORD).write_text(engine.address)
        yield engine
        return
    for command in ("docker", "dockerd", "containerd", "runc"):
        _need(command)
    with ExitStack() as stack:
        place = stack.enter_context(data_root())
        yield stack.enter_context(_own_engine(folder, place, log))


@contextmanager
def _own_engine(folder: Path, place: Path, log: Path) -> Iterator[Engine]:
    """Start an engine that keeps its images in ``place``; stop it, and what is left of it, after.

    It gets mounts of its own, which go with its last process, and hides the machine's containerd
    from it: one that it starts itself ends with it.
    """
    socket, configuration = folder / "docker.sock", folder / CONFIGURATION
    configuration.write_text(json.dumps(_configuration(folder, place, socket), indent=1))
    Path("/run/containerd").mkdir(parents=True, exist_ok=True)
    hide = 'mount -t tmpfs tmpfs /run/containerd && exec "$@"'
    with log.open("ab") as output:
        daemon = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", hide, "sh"),
                *("dockerd", "--config-file", str(configuration)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, _ENGINE_MARK: folder.name},
            start_new_session=True,
        )
    engine = Engine(f"unix://{socket}", daemon.pid)
    try:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not (socket.exists() and engine.version):
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise MachineError(
                    "a Docker engine cannot be started here, nor does one run; the end of what "
                    f"dockerd said:\n{tail(log)}"
                )
            time.sleep(0.05)
        engine.ask("container", "prune", "--force")  # of runs that were killed: nobody else's
        yield engine
    finally:
        daemon.terminate()
        try:
            daemon.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
        end_marked(folder.name, _ENGINE_MARK)  # what guards containers outlives an engine that dies
        cgroup.remove(cgroup_parent(folder.name))


def _configuration(folder: Path, place: Path, socket: Path) -> dict[str, object]:
    return {
        "data-root": str(place),
        "exec-root": str(folder / "docker"),
        "pidfile": str(folder / "docker.pid"),
        "hosts": [f"unix://{socket}"],
        "bridge": "none",
        "iptables": False,
        "ip6tables": False,
        "ip-forward": False,
        "ip-masq": False,
        "userland-proxy": False,
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "cgroup-parent": f"/{cgroup_parent(folder.name)}",
        "log-level": "warn",
    }


def cgroup_parent(run: str) -> str:
    """Return the name of the control group that holds the containers of a run's own engine."""
    return f"spanlab-{run}"


def tail(log: Path) -> str:
    """Return the end of a log."""
    try:
        return log.read_text(errors="replace").strip()[-_TAIL_CHARACTERS:]
    except OSError:
        return ""


def _need(command: str) -> None:
    if not shutil.which(command):
        # Newer Debian has the client in a package of its own.
        package = "docker-cli" if command == "docker" and shutil.which("dockerd") else "docker.io"
        raise MachineError(
            f"emulate.runtime is docker, but this machine has no {command}: "
            f"apt-get install {package}"
        )
