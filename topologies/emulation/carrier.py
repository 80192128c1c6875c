"""Carrier of network devices, as a switch sees it: whether they run.

A device that the kernel calls dormant (RFC 2863) is there but does not run, and Open vSwitch takes
that for a link that is down: it tells its controller, and fast failover leaves the port. User space
may set it (``operstates.rst`` of the kernel's documentation), the kernel tells everybody before it
answers, and nothing else changes: frames under way arrive, and frames offered come to the span,
which drops and counts them.

Losing carrier proper (TUNSETCARRIER, a veth's other end) would be worse. The kernel tells of that
up to a second late, or never if it is back by then, which kernels before 6.8 cannot be made to
hasten; it drops what is offered itself; and a veth pair does not deliver what is under way.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from collections.abc import Sequence

from topologies.emulation.errors import ImpairmentError

_RTM_SETLINK, _REQUEST_AND_ACK = 19, 0x0001 | 0x0004
_IFLA_OPERSTATE, _DORMANT, _UP = 16, 5, 6
_SIOCGIFFLAGS, _IFF_RUNNING = 0x8913, 0x40


class Carrier:
    """The carrier of a few devices of the calling thread's network namespace."""

    def __init__(self, devices: Sequence[str]) -> None:
        """Leave it as it is, until `put`; raises OSError for a device that is not there."""
        self._indices = {device: socket.if_nametoindex(device) for device in devices}
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)

    def put(self, carrier: bool) -> None:
        """Give it to all the devices, or take it from them, at once.

        Raises ImpairmentError when a device is not as asked afterwards.
        """
        operstate = _UP if carrier else _DORMANT
        requests = [_request(index, operstate) for index in self._indices.values()]
        self._netlink.send(b"".join(requests))
        answers = [self._netlink.recv(4096) for _ in requests]
        for device, answer in zip(self._indices, answers, strict=True):
            error = -struct.unpack_from("=i", answer, 16)[0]
            if error or self._runs(device) is not carrier:
                reason = os.strerror(error) if error else "the kernel did not do it"
                raise ImpairmentError(f"carrier {'on' if carrier else 'off'} at {device}: {reason}")

    def close(self) -> None:
        """Leave it as it is, for good."""
        self._netlink.close()

    def _runs(self, device: str) -> bool:
        request = struct.pack("16sH14x", device.encode(), 0)
        answer = fcntl.ioctl(self._netlink, _SIOCGIFFLAGS, request)
        flags: int = struct.unpack_from("H", answer, 16)[0]
        return bool(flags & _IFF_RUNNING)


def _request(index: int, operstate: int) -> bytes:
    """Return the request (rtnetlink(7)) to set a device's operational state."""
    attribute = struct.pack("=HHB3x", 5, _IFLA_OPERSTATE, operstate)
    body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, 0, 0) + attribute
    return struct.pack("=IHHII", 16 + len(body), _RTM_SETLINK, _REQUEST_AND_ACK, 0, 0) + body
