"""A private Open vSwitch: its own database and daemon, in the run's network namespace.

The machine's own Open vSwitch, if it runs one, is neither needed nor touched. Both datapaths work
so, since the kernel's is kept per network namespace.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from topologies.emulation.errors import EmulationError
from topologies.emulation.priority import SWITCH, prefix

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
_START_TIMEOUT_S = 15.0
COMMAND_TIMEOUT_S = 60
"""Of a command, which otherwise waits for a dead daemon as long as that is dead."""
_KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "268435456", "MALLOC_TOP_PAD_": "33554432"}
"""Makes glibc keep freed memory: the userspace datapath allocates 2 MB for each read of a port, and
giving that back to the kernel every time more than doubles the delay of a switch."""


@dataclass(frozen=True)
class Daemons:
    """The processes of an Open vSwitch, and the sockets that they answer on."""

    ovsdb_pid: int
    vswitchd_pid: int
    folder: Path

    @property
    def pids(self) -> dict[str, int]:
        """By name."""
        return {"ovsdb-server": self.ovsdb_pid, "ovs-vswitchd": self.vswitchd_pid}

    @property
    def controls(self) -> dict[str, Path]:
        """Return what each answers ovs-appctl on, by name."""
        return {name: self.folder / control for name, control in _CONTROLS.items()}


_CONTROLS = {"ovsdb-server": "ovsdb.ctl", "ovs-vswitchd": "vswitchd.ctl"}


@contextmanager
def open_vswitch(folder: Path) -> Iterator[Daemons]:
    """Start ovsdb-server and ovs-vswitchd with all their files in ``folder``; stop them after.

    Yields both. While inside, ``OVS_RUNDIR`` points every Open vSwitch command of this process
    there, and ``OVS_CTL_TIMEOUT`` bounds it.
    Raises EmulationError when a daemon does not come up.
    """
    folder.mkdir(parents=True)
    database, server = folder / "conf.db", folder / "db.sock"
    subprocess.run(["ovsdb-tool", "create", database, SCHEMA], check=True)
    ours = {"OVS_RUNDIR": str(folder), "OVS_CTL_TIMEOUT": str(COMMAND_TIMEOUT_S)}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        daemons.append(_daemon(folder, ["ovsdb-server", str(database), f"--remote=punix:{server}"]))
        _wait_for(server, daemons[0], folder / "ovsdb-server.log")
        subprocess.run(["ovs-vsctl", "--no-wait", "init"], check=True)
        # At real-time priority, so that frames are not late while training keeps the cores busy.
        switch = ["ovs-vswitchd", f"unix:{server}"]
        daemons.append(_daemon(folder, [*prefix(SWITCH), *switch]))
        _wait_for(folder / "vswitchd.ctl", daemons[1], folder / "ovs-vswitchd.log")
        yield Daemons(daemons[0].pid, daemons[1].pid, folder)
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in reversed(daemons):
            try:
                daemon.wait(timeout=5)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _daemon(folder: Path, command: list[str]) -> subprocess.Popen[bytes]:
    """Start a daemon in the foreground that dies with this process."""
    name = next(word for word in command if word.startswith("ovs"))
    log = folder / f"{name}.log"
    options = [
        f"--unixctl={folder / _CONTROLS[name]}",
        "-vconsole:off",
        "-vsyslog:off",
        "-vfile:warn",
    ]
    with log.open("ab") as stderr:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command, *options, f"--log-file={log}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env={**os.environ, **_KEEP_MEMORY},
            start_new_session=True,
        )


def _wait_for(path: Path, daemon: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a daemon listens on its socket, which is there before that."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not _listens(path):
        if daemon.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:]
            raise EmulationError(f"{log.stem} did not come up; the end of its log:\n{tail}")
        time.sleep(0.01)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True
