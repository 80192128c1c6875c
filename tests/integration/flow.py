"""A sequence-numbered UDP flow between two hosts, measured by nothing of the product's.

``receive ADDRESS COUNT`` prints ``ready`` and then, as JSON, ``[sequence, sent_ns, seen_ns]`` of
every datagram in the order of arrival. ``send PEER COUNT BYTES GAP_NS`` sends them. All namespaces
share CLOCK_MONOTONIC, so the difference of the two times is the one-way delay.
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

PORT = 4000
HEADERS = 14 + 20 + 8
SILENCE_S = 0.7


def main() -> None:
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(3))
    mode, address, count, *rest = sys.argv[1:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        if mode == "receive":
            receive(udp, address, int(count))
        else:
            length, gap_ns = int(rest[0]), int(rest[1])
            begin_ns = time.monotonic_ns()
            for sequence in range(int(count)):
                if (wait_ns := begin_ns + sequence * gap_ns - time.monotonic_ns()) > 0:
                    time.sleep(wait_ns / 1e9)
                head = struct.pack("!Iq", sequence, time.monotonic_ns())
                udp.sendto(head.ljust(length, b"\0"), (address, PORT))


def receive(udp: socket.socket, address: str, count: int) -> None:
    udp.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
    udp.bind((address, PORT))
    print("ready", flush=True)
    seen: list[tuple[int, int, int]] = []
    wait_s = 10.0
    while len(seen) < count and select.select([udp], [], [], wait_s)[0]:
        data = udp.recv(1 << 16)
        sequence, sent_ns = struct.unpack_from("!Iq", data)
        seen.append((sequence, sent_ns, time.monotonic_ns()))
        wait_s = SILENCE_S
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main()
