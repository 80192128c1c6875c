"""What this machine can do, probed by doing it, and the back ends that follow."""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from topologies.emulation.containers.engine import can_start, running_engine
from topologies.emulation.errors import EmulationError, MachineError
from topologies.emulation.kernel import private_network
from topologies.emulation.netem import NetemImpairer
from topologies.emulation.ownership import owned_folder
from topologies.emulation.priority import prefix

COMMANDS = {
    "ovs-vswitchd": "openvswitch-switch",
    "ovsdb-server": "openvswitch-switch",
    "ovs-vsctl": "openvswitch-switch",
    "mnexec": "mininet",
    "ip": "iproute2",
    "tc": "iproute2",
    "ss": "iproute2",
    "ethtool": "ethtool",
    "iperf3": "iperf3",
    "ping": "iputils-ping",
    "sysctl": "procps",
    "setpriv": "util-linux",
    "chrt": "util-linux",
}
"""Commands a run needs, with the Debian package that brings each."""


@dataclass(frozen=True)
class Capabilities:
    """Probed facts; ``missing`` says for each thing that a run needs and lacks how to get it.

    ``spans_by`` is the back end for spans where it is not simply the first that the machine has;
    ``docker`` whether an engine runs, or a run can start its own.
    """

    kernel: str
    cpus: int
    memory_bytes: int
    root: bool
    namespaces: bool
    tap: bool
    netem: bool
    tbf: bool
    kernel_datapath: bool
    realtime: bool
    congestion_controls: tuple[str, ...]
    missing: tuple[str, ...]
    spans_by: Literal["netem", "relay"] | None = None
    docker: Literal["runs", "can start"] | None = None

    @property
    def impairer(self) -> Literal["netem", "relay"]:
        """The back end for spans."""
        return self.spans_by or ("netem" if self.netem else "relay")

    @property
    def datapath(self) -> Literal["kernel", "user"]:
        """The datapath of Open vSwitch."""
        return "kernel" if self.kernel_datapath else "user"


def probe() -> Capabilities:
    """Probe the machine; needs root for a full answer, leaves nothing behind."""
    if os.geteuid():
        return _probe(root=False)
    with owned_folder(f"probe-{secrets.token_hex(3)}"):  # whatever may end it
        return _probe(root=True)


def _probe(*, root: bool) -> Capabilities:
    missing = []
    if not root:
        missing.append("root: run it again with sudo")
    absent = sorted({package for command, package in COMMANDS.items() if not shutil.which(command)})
    if absent:
        missing.append(f"packages: apt-get install {' '.join(absent)}")
    namespaces = root and _namespaces_work()
    if root and not namespaces:
        missing.append("network namespaces: a kernel, or a container, that permits them")
    netem = tbf = False
    if namespaces and not absent:
        netem = _netem_works()
        tbf = _queue_works("tbf", "rate", "1mbit", "burst", "2000", "limit", "20000")
        if not tbf:
            missing.append("the sch_tbf queue: modprobe sch_tbf")
    tap = _tap_works()
    if root and not tap and not netem:
        missing.append("TAP devices: modprobe tun, or create /dev/net/tun")
    return Capabilities(
        kernel=platform.release(),
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        root=root,
        namespaces=namespaces,
        tap=tap,
        netem=netem,
        tbf=tbf,
        kernel_datapath=root and _module_works("openvswitch"),
        realtime=bool(prefix(1)),
        congestion_controls=tuple(
            Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control").read_text().split()
        ),
        missing=tuple(missing),
        docker=_docker(root),
    )


def _docker(root: bool) -> Literal["runs", "can start"] | None:
    try:
        if running_engine():
            return "runs"
    except MachineError:
        return None
    return "can start" if root and can_start() else None


def _silently(*command: str) -> bool:
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _namespaces_work() -> bool:
    try:
        with private_network():
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def _queue_works(kind: str, *options: str) -> bool:
    with private_network():
        return _silently("tc", "qdisc", "add", "dev", "lo", "root", kind, *options)


def _netem_works() -> bool:
    """Make a span of netem: it takes more of the kernel than netem alone."""
    try:
        with private_network():
            NetemImpairer(["probe"], mtu=1500, seed=0).close()
    except (OSError, EmulationError):
        return False
    return True


def _tap_works() -> bool:
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError:
        return False
    return True


def _module_works(name: str) -> bool:
    _silently("modprobe", "-q", name)
    return Path(f"/sys/module/{name}").exists()
