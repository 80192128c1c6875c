"""Where a packet goes, seen on the wire: every device of the switches is listened to at once."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from topologies.emulation.kernel import enter_network

_EVERYTHING = 0x0003  # ETH_P_ALL
_OUTGOING = 4  # PACKET_OUTGOING
_BUFFER_BYTES = 4 << 20


@dataclass(frozen=True)
class Sighting:
    """A frame at a switch's port, which it enters or ``leaves`` by."""

    switch: str
    port: int
    leaves: bool
    frame: bytes


def trace(
    frame: bytes,
    is_it: Callable[[bytes], bool],
    host_pid: int,
    interface: str,
    devices: Mapping[str, tuple[str, int]],
    timeout_s: float,
) -> list[Sighting]:
    """Emit a frame at a host and return where it was seen, in order, until it is seen no more.

    Must be called in the network of the switches. ``is_it`` tells the packet from others whatever
    addresses it is given on its way; ``devices`` are the switch and port of each network device;
    ``timeout_s`` bounds the wait for the next sighting.
    """
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERYTHING)) as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        _emit(frame, host_pid, interface)
        found: list[Sighting] = []
        last = time.monotonic()
        while (left := last + timeout_s - time.monotonic()) > 0:
            if not select.select([ear], [], [], left)[0]:
                break
            seen, (device, _, kind, *_) = ear.recvfrom(65536)
            if device in devices and is_it(seen):
                found.append(Sighting(*devices[device], kind == _OUTGOING, seen))
                last = time.monotonic()
        return found


def _emit(frame: bytes, host_pid: int, interface: str) -> None:
    """Send a frame from a host, on a thread of its own that enters the host's network."""
    failed: list[OSError] = []

    def send() -> None:
        try:
            with Path(f"/proc/{host_pid}/ns/net").open() as network:
                enter_network(network.fileno())
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as mouth:
                mouth.bind((interface, 0))
                mouth.send(frame)
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
