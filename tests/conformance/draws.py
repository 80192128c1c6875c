"""The relay's losses for the same frames, from fresh relays of the same seed and of another."""

from __future__ import annotations

import select
import socket
import struct
import time

from tests.conformance.agent import BUFFER, SO_RCVBUFFORCE
from tests.conformance.cases import MS
from topologies.emulation.backends import open_impairer
from topologies.emulation.kernel import private_network
from topologies.linkstate import Duplex, LinkState, Loss

FRAMES = 500
LOSSY = LinkState(100 * 10**6, MS, loss=Loss(0.1), queue_packets=FRAMES)
ETHER_TYPE = 0x88B5
"""For local experiments (IEEE 802)."""


def drawn() -> dict[str, list[int]]:
    """Return the frames that arrived, by the relay's seed."""
    return {"seed 5": arrived(5), "seed 5 again": arrived(5), "seed 6": arrived(6)}


def arrived(seed: int) -> list[int]:
    """Return the numbers of the frames that pass a fresh relay."""
    with private_network():
        impairer = open_impairer("relay", ["span"], 1500, seed)
        try:
            first, second = impairer.cables["span"]
            impairer.apply("span", Duplex.both(LOSSY))
            return _through(first, second)
        finally:
            impairer.close()


def _through(first: str, second: str) -> list[int]:
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as source,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHER_TYPE)) as sink,
    ):
        sink.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        source.bind((first, ETHER_TYPE))
        sink.bind((second, ETHER_TYPE))
        head = b"\2\0\0\0\0\2" + b"\2\0\0\0\0\1" + struct.pack("!H", ETHER_TYPE)
        for number in range(FRAMES):
            source.send(head + struct.pack("!I", number).ljust(64, b"\0"))
            time.sleep(0.0002)
        seen = []
        while select.select([sink], [], [], 0.3)[0]:
            seen.append(struct.unpack_from("!I", sink.recv(2048), len(head))[0])
        return seen
