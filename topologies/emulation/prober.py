"""Measures directions of spans, each with a train of sequence-numbered UDP frames.

``python -m topologies.emulation.prober`` reads the trains to send, a JSON list, from its input. It
forks both ends of each into their hosts' networks, since starting Python in each would take longer
than a train, and prints what every one found. A train keeps the span's queue filled without
overflowing it, so the spacing of the frames that leave the span is its rate, and frames that are
missing were lost on the line.
"""

from __future__ import annotations

import json
import os
import select
import socket
import statistics
import struct
import sys
import time
import traceback
from collections.abc import Callable
from typing import IO, Any

from topologies.emulation.kernel import die_with_parent, enter_network
from topologies.emulation.priority import PROBER, take

HEADERS = 14 + 20 + 8
"""Ethernet, IPv4 and UDP around the payload: they count as wire bytes."""
PORT = 9
_SO_TIMESTAMPNS, _SO_RCVBUFFORCE = 35, 33
_HEAD_START_FRAMES = 4
_SILENCE_S = 0.5
_INTRODUCTION, _INTRODUCED_S = 0xFFFFFFFF, 0.05
_STRETCHES = 10


def receive(address: str, count: int, deadline_s: float) -> dict[str, Any]:
    """Say "ready", collect a train until silence; return its summary, by kernel time stamps."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 16 << 20)
        udp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        udp.bind((address, PORT))
        print("ready", flush=True)
        arrivals: dict[int, int] = {}
        wire_bytes = 0
        wait_s = deadline_s
        while len(arrivals) < count:
            if not select.select([udp], [], [], wait_s)[0]:
                break
            payload, ancillary, _, _ = udp.recvmsg(1 << 16, 64)
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
            sequence = struct.unpack_from("!I", payload)[0]
            if sequence == _INTRODUCTION:
                continue
            arrivals[sequence] = seconds * 10**9 + nanoseconds
            wire_bytes = len(payload) + HEADERS
            wait_s = _SILENCE_S
    return summarise(list(arrivals.items()), wire_bytes, count)


def summarise(arrivals: list[tuple[int, int]], wire_bytes: int, count: int) -> dict[str, Any]:
    """Turn ``(sequence, time_ns)`` pairs into the fields of a `Train`; duplicates are left out.

    The first frames, which found the queue empty, are left out of the rate; lost frames took their
    time on the wire and count. The rate is the median of ten stretches of the train, so that a
    moment in which its sender was held up does not count against the span.
    """
    steady = [pair for pair in arrivals if pair[0] >= _HEAD_START_FRAMES]
    length = max(8, len(steady) // _STRETCHES)
    ends = zip(steady[::length], steady[length::length], strict=False)
    rates = [
        (last - first) * wire_bytes * 8e9 / (end_ns - begin_ns)
        for (first, begin_ns), (last, end_ns) in ends
        if end_ns > begin_ns
    ]
    rate_bps = statistics.median(rates) if rates else 0.0
    return {
        "frame_bytes": wire_bytes,
        "sent": count,
        "received": len(arrivals),
        "rate_bps": rate_bps,
    }


def send(address: str, peer: str, count: int, payload_bytes: int, gap_ns: int) -> None:
    """Send ``count`` frames, the first few at once and the rest ``gap_ns`` apart.

    One frame goes ahead by itself: while the peer's address is being asked for (ARP), Linux keeps
    but a few frames for it and drops the others.
    """
    filler = bytes(payload_bytes - 4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((address, 0))
        udp.sendto(struct.pack("!I", _INTRODUCTION), (peer, PORT))
        time.sleep(_INTRODUCED_S)
        begin_ns = time.monotonic_ns()
        for sequence in range(count):
            due_ns = begin_ns + max(0, sequence - _HEAD_START_FRAMES) * gap_ns
            if (wait_ns := due_ns - time.monotonic_ns()) > 0:
                time.sleep(wait_ns / 1e9)
            udp.sendto(struct.pack("!I", sequence) + filler, (peer, PORT))


def run(trains: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send trains at the same time; return the fields of a `Train` for each.

    A train has ``source`` and ``sink``, each a process of the host and its address, ``frames``,
    ``payload_bytes``, ``gap_ns``, and ``deadline_s`` for its first frame. Exits where an end of
    one died: a train that nobody sent is no measurement.
    """
    receivers, senders = [], []
    for train in trains:
        pid, address = train["sink"]
        receivers.append(_on(pid, receive, address, train["frames"], train["deadline_s"]))
    for receiver in receivers:
        _line(receiver)
    for train in trains:
        pid, address = train["source"]
        shape = train["frames"], train["payload_bytes"], train["gap_ns"]
        senders.append(_on(pid, send, address, train["sink"][1], *shape))
    for sender in senders:
        _line(sender)
    return [json.loads(_line(receiver)) for receiver in receivers]


def _line(end: IO[str]) -> str:
    """Return what an end prints next."""
    return end.readline() or sys.exit("an end of a train died")


def _on(pid: int, work: Callable[..., object], *arguments: object) -> IO[str]:
    """Fork a process into the network of another, to work there; return what it prints."""
    heard, said = os.pipe()
    if os.fork() == 0:
        try:
            die_with_parent()
            enter_network(os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC))
            os.dup2(said, sys.stdout.fileno())
            print(json.dumps(work(*arguments)), flush=True)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(said)
    return os.fdopen(heard)


if __name__ == "__main__":
    take(PROBER)
    print(json.dumps(run(json.load(sys.stdin))))
