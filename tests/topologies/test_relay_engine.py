"""The relay's engine between sockets that stand for devices: real clock, real frames, no root."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from topologies.emulation.relay.__main__ import counters_of, load, put, relay
from topologies.emulation.relay.engine import (
    POLL,
    READABLE,
    Direction,
    ecn_capable,
    mark,
    new_direction,
    pump,
)
from topologies.emulation.relay.records import state_arrays
from topologies.linkstate import Jitter, LinkState, Loss

MS = 10**6


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    load()


@dataclass
class Cable:
    """A running relay; frames sent into one end leave at the other."""

    near: socket.socket
    far: socket.socket
    forward: Direction

    def arrivals(self, count: int, timeout_s: float = 5.0) -> list[tuple[int, bytes]]:
        """Return up to ``count`` ``(time ns, frame)``, until nothing more comes."""
        seen: list[tuple[int, bytes]] = []
        while len(seen) < count and select.select([self.far], [], [], timeout_s)[0]:
            frame = self.far.recv(1 << 16)
            seen.append((time.monotonic_ns(), frame))
            timeout_s = 0.3
        return seen


@contextmanager
def relayed(state: LinkState, seed: int = 1) -> Iterator[Cable]:
    """Run a relay in a thread, forward in a state and backward down."""
    near, in_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    far, out_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours, theirs = os.pipe()
    for end in (in_end, out_end):
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    forward = new_direction(in_end.fileno(), out_end.fileno(), [seed], 1500)
    forward = put(forward, state_arrays([(0, state)]))
    backward = new_direction(out_end.fileno(), in_end.fileno(), [seed], 1500)
    polls = [(number, READABLE, 0) for number in (in_end.fileno(), out_end.fileno(), ours)]
    arguments = (forward, backward, np.array(polls, POLL), np.zeros(2, np.int64))
    thread = threading.Thread(target=pump, args=arguments)
    thread.start()
    try:
        yield Cable(near, far, forward)
    finally:
        os.write(theirs, b".")
        thread.join(timeout=5)
        for end in (near, in_end, far, out_end):
            end.close()
        os.close(ours)
        os.close(theirs)
        assert not thread.is_alive()


def numbered(count: int) -> list[bytes]:
    return [struct.pack("!I", number) + b"x" * 96 for number in range(count)]


def test_frames_arrive_whole_in_order_and_never_early() -> None:
    frames = numbered(50)
    with relayed(LinkState(10**9, 20 * MS)) as cable:
        sent = []
        for frame in frames:
            sent.append(time.monotonic_ns())
            cable.near.send(frame)
        seen = cable.arrivals(50)
    counters = counters_of(cable.forward)
    assert [frame for _, frame in seen] == frames
    assert all(at - begin >= 20 * MS for begin, (at, _) in zip(sent, seen, strict=True))
    assert (counters["packets"], counters["delivered"], counters["errors"]) == (50, 50, 0)
    assert sum(counters["lateness"]) == 50


def test_duplicates_and_wrong_bits_are_what_the_counters_say() -> None:
    frames = numbered(60)
    with relayed(LinkState(10**9, MS, duplicate=0.3, corrupt=0.5)) as cable:
        for frame in frames:
            cable.near.send(frame)
        seen = [frame for _, frame in cable.arrivals(200)]
    counters = counters_of(cable.forward)
    assert len(seen) == 60 + counters["duplicated"]
    assert 0 < counters["duplicated"] < 60
    wrong = 0
    for frame in dict.fromkeys(seen):
        differences = [
            sum(bin(a ^ b).count("1") for a, b in zip(frame, sent, strict=True)) for sent in frames
        ]
        assert min(differences) <= 1
        wrong += min(differences) == 1
    assert 0 < wrong <= counters["corrupted"] < 60


def test_jitter_that_may_reorder_does_and_other_jitter_does_not() -> None:
    for reorder in (True, False):
        with relayed(LinkState(10**9, 20 * MS, jitter=Jitter(4 * MS, reorder=reorder))) as cable:
            for frame in numbered(100):
                cable.near.send(frame)
                time.sleep(0.0002)
            numbers = [struct.unpack_from("!I", frame)[0] for _, frame in cable.arrivals(100)]
        assert sorted(numbers) == list(range(100))
        assert (numbers != sorted(numbers)) is reorder


def test_the_same_seed_and_frames_lose_the_same() -> None:
    def digest(seed: int) -> str:
        whole = hashlib.sha256()
        with relayed(
            LinkState(10**9, MS, loss=Loss(0.2, 0.9, 0.1, 0.3), corrupt=0.2), seed
        ) as cable:
            for frame in numbered(100):
                cable.near.send(frame)
            for _, frame in cable.arrivals(100):
                whole.update(frame)
        return whole.hexdigest()

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_nothing_is_done_while_nothing_comes() -> None:
    with relayed(LinkState(10**9, MS)):
        time.sleep(0.1)
        before = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - before < 0.1


@pytest.mark.parametrize("ecn", [1, 2])
@pytest.mark.parametrize("version", [4, 6])
def test_a_mark_is_set_and_the_checksum_still_holds(version: int, ecn: int) -> None:
    for number in range(50):
        ip = IP(tos=ecn, id=number, src=f"10.0.{number}.1") if version == 4 else IPv6(tc=ecn)
        frame = np.frombuffer(bytes(Ether() / ip / UDP() / Raw(b"hello")), np.uint8).copy()
        assert ecn_capable(frame, len(frame))
        mark(frame)
        seen = Ether(frame.tobytes())
        if version == 4:
            assert seen[IP].tos == 3
            claimed = seen[IP].chksum
            del seen[IP].chksum
            assert Ether(bytes(seen))[IP].chksum == claimed
        else:
            assert seen[IPv6].tc == 3


@pytest.mark.parametrize(
    "packet",
    [
        Ether() / IP(tos=0) / UDP(),
        Ether() / IPv6(tc=0) / UDP(),
        Ether(type=0x88CC) / Raw(b"\xff" * 60),
        Ether(type=0x0800) / Raw(b"\xff" * 4),
    ],
    ids=repr,
)
def test_what_is_not_ecn_capable_is_known(packet: Ether) -> None:
    frame = np.frombuffer(bytes(packet), np.uint8).copy()
    assert not ecn_capable(frame, len(frame))


def test_a_relay_ends_quietly_when_nobody_waits_for_its_answer():
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    asking, control = multiprocessing.Pipe()
    with near, far, control:
        with asking:
            asking.send(None)
        process = multiprocessing.get_context("fork").Process(
            target=relay, args=([near.fileno(), far.fileno(), control.fileno()], [], [1], 1500)
        )
        process.start()
        process.join(timeout=10)
    assert process.exitcode == 0
