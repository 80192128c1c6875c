"""Sends frames from a host and reports what passed its interface, by the kernel's time stamps.

Runs on a host, imports nothing of the product's, and does what lines of JSON on its standard input
ask for: ``arm`` begins to record, ``send`` sends a flow of datagrams, ``collect`` answers with
everything recorded. The kernel stamps a frame when it leaves or enters the interface, so that a
busy machine that lets this process wait does not move the times.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import sys
import time
from typing import Any

INTERFACE = "net0"
PORT = 4000
HEADERS = 14 + 20 + 8
"""Of Ethernet, IPv4 and UDP, in bytes."""
ALL_PROTOCOLS, IPV4 = 0x0003, 0x0800
OUTGOING = 4
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
BUFFER = 256 << 20


def main() -> None:
    address = sys.argv[1]
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(3))
    agent = Agent(address)
    for line in sys.stdin:
        command = json.loads(line)
        answer = getattr(agent, command.pop("do"))(**command)
        print(json.dumps(answer), flush=True)


class Agent:
    """A socket for datagrams, and one that sees every frame of the interface."""

    def __init__(self, address: str) -> None:
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self.datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.datagrams.bind((address, PORT))
        self.frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
        self.frames.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self.frames.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.frames.bind((INTERFACE, ALL_PROTOCOLS))

    def arm(self) -> int:
        """Forget what came so far."""
        for receiver in (self.frames, self.datagrams):
            while select.select([receiver], [], [], 0)[0]:
                receiver.recv(1 << 16)
        return 0

    def send(self, peer: str, count: int, length: int, gap_ns: int, tos: list[int]) -> int:
        """Send numbered datagrams of ``length`` bytes; their type of service goes round ``tos``."""
        # A processor hands on what is sent there, so frames of one that changes it may overtake.
        processors = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(processors)})
        begin_ns = time.monotonic_ns()
        for sequence in range(count):
            if (wait_ns := begin_ns + sequence * gap_ns - time.monotonic_ns()) > 0:
                time.sleep(wait_ns / 1e9)
            if len(tos) > 1 or sequence == 0:
                self.datagrams.setsockopt(
                    socket.IPPROTO_IP, socket.IP_TOS, tos[sequence % len(tos)]
                )
            self.datagrams.sendto(payload(sequence, length), (peer, PORT))
        os.sched_setaffinity(0, processors)
        return 0

    def collect(self, quiet_s: float, raw: bool) -> dict[str, Any]:
        """Return the frames recorded until nothing has come for a while.

        ``sent`` and ``seen`` are lists of ``[sequence, nanoseconds, type of service]``, in order;
        ``bad_headers`` counts IPv4 headers seen whose checksum is wrong, ``valid`` the datagrams
        that the kernel took for intact. With ``raw`` frames come as ``[hexadecimal digits]``.
        """
        found: dict[str, Any] = {"sent": [], "seen": [], "bad_headers": 0, "valid": 0}
        while select.select([self.frames], [], [], quiet_s)[0]:
            frame, stamps, _, origin = self.frames.recvmsg(1 << 16, 64)
            if raw and len(frame) > HEADERS + 8:
                found["sent" if origin[2] == OUTGOING else "seen"].append([frame.hex()])
                continue
            if origin[1] != IPV4 or frame[23] != socket.IPPROTO_UDP or len(frame) < HEADERS + 4:
                continue
            seconds, nanoseconds = struct.unpack("qq", stamps[0][2])
            (sequence,) = struct.unpack_from("!I", frame, HEADERS)
            entry = [sequence, seconds * 10**9 + nanoseconds, frame[15]]
            found["sent" if origin[2] == OUTGOING else "seen"].append(entry)
            found["bad_headers"] += origin[2] != OUTGOING and not header_holds(frame)
        while select.select([self.datagrams], [], [], 0)[0]:
            self.datagrams.recv(1 << 16)
            found["valid"] += 1
        return found


def payload(sequence: int, length: int) -> bytes:
    """Return the bytes of a datagram: its number, and a filling."""
    return struct.pack("!I", sequence).ljust(length, b"\x5a")


def header_holds(frame: bytes) -> bool:
    """Return whether the checksum of a frame's IPv4 header is right (RFC 791)."""
    total: int = sum(struct.unpack_from("!10H", frame, 14))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


if __name__ == "__main__":
    main()
