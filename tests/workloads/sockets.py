"""What this process has received over each of its TCP connections."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

_RECEIVED_AT = 128
"""Where ``struct tcp_info`` of Linux holds ``tcpi_bytes_received``, 64 bits."""


def received(without_port: int) -> dict[str, int]:
    """Return bytes received by ``own port-peer's port``, connections of one port left out."""
    found = {}
    for connection in _connections():
        ports = connection.getsockname()[1], connection.getpeername()[1]
        if without_port not in ports:
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            count = int.from_bytes(info[_RECEIVED_AT : _RECEIVED_AT + 8], "little")
            found["-".join(map(str, ports))] = count
    return found


def _connections() -> Iterator[socket.socket]:
    for entry in list(Path("/proc/self/fd").iterdir()):
        if not entry.is_symlink() or not str(entry.readlink()).startswith("socket:"):
            continue
        with socket.socket(fileno=os.dup(int(entry.name))) as it:
            if it.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            try:
                it.getpeername()
            except OSError:
                continue  # it listens
            yield it
