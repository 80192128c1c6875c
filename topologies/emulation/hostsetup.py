"""What a host is given inside its network: address, rate, packet size, TCP; each is read back."""

from __future__ import annotations

import array
import contextlib
import fcntl
import socket
import struct
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from topologies.emulation import rtnetlink
from topologies.emulation.errors import EmulationError, MachineError
from topologies.emulation.kernel import enter_network
from topologies.linkstate import ETHERNET_HEADER
from topologies.tcp import AS_IT_IS, HostTcp

HOST_INTERFACE = "net0"
NETWORK, PREFIX = "10.0.0.0", 8
"""That all hosts are in."""
ACCESS_QUEUE_FRAMES = 256
_SIOCETHTOOL, _IFNAMSIZ = 0x8946, 16
_ETHTOOL_SET = {
    "checksums": 0x17,
    "scatter-gather": 0x19,
    "TCP segmentation": 0x1F,
    "segmentation": 0x24,
    "coalescing": 0x2C,
}
"""ETHTOOL_STXCSUM and others of linux/ethtool.h; each one's question is numbered one less."""
_SYSCTL = Path("/proc/sys/net")

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Access:
    """How a host is attached: wire rate of its own traffic, and packet size."""

    rate_bps: int
    mtu: int


@dataclass(frozen=True)
class Settings:
    """What a host's network is to be.

    Attributes:
        ip: its address.
        neighbours: where those are whom it may talk to: MAC addresses by IPv4 address.
    """

    ip: str
    access: Access
    congestion_control: str
    neighbours: Mapping[str, str]
    tcp: HostTcp = AS_IT_IS


def inside(process: int, do: Callable[[], Answer]) -> Answer:
    """Do something in the network of a process or thread; the calling thread stays where it is."""

    def there() -> Answer:
        with Path(f"/proc/{process}/ns/net").open() as namespace:
            enter_network(namespace.fileno())
        return do()

    with ThreadPoolExecutor(1) as alone:
        return alone.submit(there).result()


def set_up(settings: Settings) -> None:
    """Set up the host whose network the calling thread is in; its device must be there, and down.

    Raises MachineError for a TCP that the machine does not permit, EmulationError for what did not
    take.
    """
    no_ipv6 = _SYSCTL / "ipv6/conf/all/disable_ipv6"
    if no_ipv6.exists():
        no_ipv6.write_text("1")
    device, access = socket.if_nametoindex(HOST_INTERFACE), settings.access
    _offload_nothing()
    frame = access.mtu + ETHERNET_HEADER
    # Two frames of burst: the shaper's clock is finer than a frame at every rate we reach.
    burst = max(2 * frame, access.rate_bps // 8 // 1000)
    with rtnetlink.Rtnetlink() as kernel:
        kernel.ask(
            [
                rtnetlink.up(socket.if_nametoindex("lo")),
                rtnetlink.address(device, settings.ip, PREFIX),
                rtnetlink.token_bucket(device, access.rate_bps, burst, ACCESS_QUEUE_FRAMES * frame),
                rtnetlink.up(device),
                rtnetlink.route(device, NETWORK, PREFIX, settings.tcp.metrics),
                *(rtnetlink.neighbour(device, ip, mac) for ip, mac in settings.neighbours.items()),
            ]
        )
        if (found := kernel.metrics(device, PREFIX)) != settings.tcp.metrics:
            raise EmulationError(f"its route has {found} and should have {settings.tcp.metrics}")
    _choose_congestion_control(settings.congestion_control)
    _make_room(settings.tcp)


def _offload_nothing() -> None:
    """Leave nothing to the device: userspace switches carry frames as they find them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for name, command in _ETHTOOL_SET.items():
            _ethtool(asking, command)
            if _ethtool(asking, command - 1):
                raise EmulationError(f"{HOST_INTERFACE}: {name} is left to the device")


def _ethtool(asking: socket.socket, command: int) -> int:
    """Have the host's device do a command of ethtool, with the value 0; return what it answers."""
    value = array.array("I", [command, 0])
    address, _ = value.buffer_info()
    fcntl.ioctl(asking, _SIOCETHTOOL, struct.pack("16sP16x", HOST_INTERFACE.encode(), address))
    return value[1]


def _choose_congestion_control(name: str) -> None:
    chosen = _SYSCTL / "ipv4/tcp_congestion_control"
    with contextlib.suppress(OSError):  # it is read back
        chosen.write_text(name)
    if chosen.read_text().strip() != name:
        raise MachineError(
            f"TCP {name} is not permitted in namespaces; permit it with: "
            f"sysctl -w net.ipv4.tcp_allowed_congestion_control='reno {name}'"
        )


def _make_room(tcp: HostTcp) -> None:
    """Let TCP's buffers hold its window."""
    for kind in ("rmem", "wmem") if tcp.buffers else ():
        sizes = _SYSCTL / f"ipv4/tcp_{kind}"
        least, usual, most = map(int, sizes.read_text().split())
        sizes.write_text(f"{least} {usual} {max(most, tcp.buffers or 0)}")
