"""One end of a STAMP session (RFC 8762): sends and stamps test packets, or reflects them.

Run as ``python -m topologies.emulation.stamp_session send|reflect|listen ...``. Packets are stamped
by the kernel as they arrive, and by the process right before they leave; both ends of a session
report what they received, so each direction is known by itself.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import sys
import time
from typing import Any

from topologies.emulation.priority import PROBER, take
from topologies.emulation.stamp import (
    PORT,
    read_head,
    read_reflected,
    reflector_template,
    sender_template,
    write_echo,
    write_head,
)

HEADERS = 14 + 20 + 8
"""Ethernet, IPv4 and UDP around the payload: they count as wire bytes."""
_SO_TIMESTAMPNS, _SO_RCVBUFFORCE, _SO_SNDBUFFORCE, _IP_RECVTTL = 35, 33, 32, 12
_BUFFER_BYTES = 32 << 20
_DEADLINE_S = 120.0


class Socket:
    """A UDP socket whose packets come with the kernel's time stamps.

    Attributes:
        arrivals: ``[sequence, sent_ns, received_ns]`` of every packet received.
    """

    def __init__(self, address: str, port: int) -> None:
        """Bind to an address; port 0 is any."""
        self.arrivals: list[tuple[int, int, int]] = []
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option in (_SO_RCVBUFFORCE, _SO_SNDBUFFORCE):
            self.udp.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
        self.udp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.udp.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
        self.udp.bind((address, port))
        self.udp.setblocking(False)

    def receive(self) -> tuple[bytes, int, int, Any] | None:
        """Take and note one packet: its payload, its time, its TTL and its sender."""
        try:
            payload, ancillary, _, sender = self.udp.recvmsg(1 << 16, 128)
        except BlockingIOError:
            return None
        received_ns = ttl = 0
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
                seconds, nanoseconds = struct.unpack("qq", data)
                received_ns = seconds * 10**9 + nanoseconds
            elif (level, kind) == (socket.IPPROTO_IP, socket.IP_TTL):
                ttl = struct.unpack("i", data)[0]
        self.arrivals.append((*read_head(payload), received_ns))
        return payload, received_ns, ttl, sender


def reflect(address: str, mute: bool = False) -> dict[str, Any]:
    """Answer every test packet, or none if ``mute``, until standard input ends."""
    end = Socket(address, PORT)
    answer, sent = reflector_template(), 0
    print("ready", flush=True)
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        ready = select.select([end.udp, sys.stdin], [], [], 1.0)[0]
        while heard := end.receive():
            if mute:
                continue
            payload, received_ns, ttl, sender = heard
            write_echo(answer, payload, received_ns, ttl)
            write_head(answer, sent, time.time_ns())
            end.udp.sendto(answer, sender)
            sent += 1
        if sys.stdin in ready:
            break
    return {"sent": sent, "arrivals": end.arrivals}


def send(
    address: str,
    peer: str,
    count: int,
    payload_bytes: int,
    gap_ns: int,
    head: int,
    linger_ns: int,
) -> dict[str, Any]:
    """Send test packets, the first ``head`` at once and the rest ``gap_ns`` apart.

    Takes in what is reflected until ``linger_ns`` after the last; ``round_trips`` are in ns.
    """
    end = Socket(address, 0)
    packet = sender_template(payload_bytes)
    round_trips: dict[int, int] = {}
    begin_ns = time.monotonic_ns()
    for sequence in range(count):
        due_ns = begin_ns + max(0, sequence - head) * gap_ns
        _take_in_until(end, due_ns, round_trips)
        write_head(packet, sequence, time.time_ns())
        with contextlib.suppress(BlockingIOError):  # then it is lost here, and counts as lost
            end.udp.sendto(packet, (peer, PORT))
    _take_in_until(end, time.monotonic_ns() + linger_ns, round_trips)
    return {"sent": count, "arrivals": end.arrivals, "round_trips": list(round_trips.values())}


def _take_in_until(end: Socket, due_ns: int, round_trips: dict[int, int]) -> None:
    """Receive reflected packets; note the round trip of each, less the time at the reflector."""
    while (wait_ns := due_ns - time.monotonic_ns()) > 0:
        if not select.select([end.udp], [], [], wait_ns / 1e9)[0]:
            continue
        if heard := end.receive():
            payload, received_ns, _, _ = heard
            echo = read_reflected(payload)
            there_ns = echo.sent_ns - echo.received_ns
            round_trips.setdefault(
                echo.sender_sequence, received_ns - echo.sender_sent_ns - there_ns
            )


def main() -> None:
    """Run one end from the command line and print what it received as JSON."""
    take(PROBER)
    mode, address, *arguments = sys.argv[1:]
    if mode == "send":
        peer, *numbers = arguments
        count, payload_bytes, gap_ns, head, linger_ns = map(int, numbers)
        result = send(address, peer, count, payload_bytes, gap_ns, head, linger_ns)
    else:
        result = reflect(address, mute=mode == "listen")
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
