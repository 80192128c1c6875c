"""Frames that no host sends: the relay hands them on or drops them, counts each, and goes on."""

from __future__ import annotations

import json
import random
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from topologies.emulation.impairer import Counters
from topologies.emulation.kernel import private_network
from topologies.emulation.relay.impairer import RelayImpairer
from topologies.linkstate import Duplex, Jitter, LinkState, Loss, Red

pytestmark = pytest.mark.needs_root

MS = 10**6
MTU = 1500
ENDS = ("span0a", "span0b")
ETHER_TYPE = 0x88B5
"""For local experiments (IEEE 802)."""
PLAIN = LinkState(10**9, MS, queue_bytes=10**7, mtu=MTU)
EVERYTHING = replace(
    PLAIN,
    rate_bps=2 * 10**6,  # slower than the frames come on a busy machine, so that the queue fills
    loss=Loss(good=0.05, bad=0.5, enter=0.01, leave=0.2, bit_error_rate=1e-6, pattern="0001"),
    jitter=Jitter(MS // 2, "pareto", reorder=True),
    duplicate=0.1,
    corrupt=0.2,
    reorder=0.1,
    queue_bytes=200_000,
    red=Red(2_000, 100_000, 0.5, ecn=True),
)
STATES = {
    "plain": PLAIN,
    "everything at once": EVERYTHING,
    "slow": replace(PLAIN, rate_bps=10**6, queue_bytes=20_000),
    "down": replace(PLAIN, up=False),
}
BROADCAST, HOST, OTHER = b"\xff" * 6, b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"


def hostile(count: int) -> Iterator[bytes]:
    """Yield frames: random, short, long, tagged, and with lengths that lie."""
    draw = random.Random(1)

    def some(least: int, most: int) -> bytes:
        return draw.randbytes(draw.randint(least, most))

    def ethernet(kind: int, rest: bytes) -> bytes:
        return draw.choice([OTHER, BROADCAST, some(6, 6)]) + HOST + struct.pack("!H", kind) + rest

    arp = struct.pack(
        "!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, HOST, b"\n\0\0\1", b"\0" * 6, b"\n\0\0\2"
    )
    makers = (
        lambda: some(14, MTU + 14),
        lambda: some(14, 20),
        lambda: some(MTU + 15, 9000),
        lambda: b"\0" * draw.choice([14, 15, 33, 34, 60, MTU + 14]),
        lambda: b"\xff" * draw.choice([14, 33, 34, 35, MTU + 14]),
        lambda: ethernet(0x0806, arp),
        lambda: ethernet(0x0806, some(0, 27)),
        lambda: ethernet(0x8100, some(2, 2) + b"\x08\x00" + some(0, 60)),
        lambda: ethernet(0x88A8, some(2, 2) + b"\x81\x00" + some(2, 2) + b"\x86\xdd" + some(0, 60)),
        # IPv4 and IPv6 whose header, total length or next header is not what follows; ECN-capable
        lambda: ethernet(0x0800, bytes([draw.randrange(256), draw.randrange(4)]) + some(0, 40)),
        lambda: ethernet(0x0800, b"\x45\x01\xff\xff" + some(16, 200)),
        lambda: ethernet(0x0800, b"\x4f\x02\0\0" + some(16, 100)),
        lambda: ethernet(0x86DD, b"\x60\x20\0\0\xff\xff\0\xff" + some(0, 100)),
        lambda: ethernet(0x86DD, b"\x6f\xff\xff\xff\0\0\x2c\0" + some(32, 400)),
        lambda: ethernet(draw.choice([0, 1, 0x05DC, 0x0600, 0x8847, 0x88CC, 0xFFFF]), some(0, 100)),
    )
    for index in range(count):
        yield makers[index % len(makers)]()


@contextmanager
def relay() -> Iterator[RelayImpairer]:
    with private_network():
        impairer = RelayImpairer(["span"], MTU, seed=1)
        try:
            impairer.counters()  # waits for its process
            for device in ENDS:  # what is too long is to reach the relay, not to be kept from it
                ip("link", "set", device, "mtu", "9100")
            yield impairer
        finally:
            impairer.close()


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def device_drops(device: str) -> int:
    (link,) = json.loads(ip("-j", "-s", "link", "show", device))
    return int(link["stats64"]["tx"]["dropped"])


def listening(device: str) -> socket.socket:
    heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHER_TYPE))
    heard.bind((device, ETHER_TYPE))
    heard.settimeout(5)
    return heard


def sending(device: str) -> socket.socket:
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0))
    sender.bind((device, 0))
    return sender


def unaccounted(count: Counters) -> int:
    """Return frames that were neither delivered nor dropped for a cause that is told."""
    dropped = count.lost + count.queue_drops + count.early_drops + count.down_drops
    dropped += count.oversize_drops + count.errors
    return count.packets + count.duplicated - count.delivered - dropped


def check_good_frames_pass(there: socket.socket, sender: socket.socket) -> None:
    """Every numbered frame arrives, whole and in order."""
    wanted = [OTHER + HOST + struct.pack("!HI", ETHER_TYPE, it) + bytes(46) for it in range(50)]
    for frame in wanted:
        sender.send(frame)
    assert [there.recv(2048) for _ in wanted] == wanted


@pytest.mark.parametrize(
    "count", [3000, pytest.param(200_000, marks=[pytest.mark.thorough, pytest.mark.timeout(600)])]
)
def test_the_relay_outlives_every_frame(count: int) -> None:
    with relay() as impairer, listening(ENDS[1]) as there, ExitStack() as stack:
        senders = [stack.enter_context(sending(device)) for device in ENDS]
        sent = [0, 0]
        for name, state in STATES.items():
            impairer.apply("span", Duplex.both(state))
            for number, frame in enumerate(hostile(count)):
                sent[number % 2] += _send(senders[number % 2], frame)
                if number % 200 == 199:
                    time.sleep(0.001)
            ways = settled(impairer)
            for way, device, count_sent in zip(ways, ENDS, sent, strict=True):
                assert unaccounted(way) == 0, (name, way)
                assert way.packets + device_drops(device) == count_sent, name
                assert way.errors == 0, name
            impairer.apply("span", Duplex.both(PLAIN))
            drain(there)
            check_good_frames_pass(there, senders[0])
            sent[0] += 50
        assert all(way.oversize_drops > 0 for way in ways)
        assert all(way.down_drops > 0 for way in ways)
        assert all(way.marked > 0 for way in ways)


def _send(sender: socket.socket, frame: bytes) -> int:
    """Send a frame; 0 where the kernel has none of it, as of one while the link is down."""
    try:
        sender.send(frame)
    except OSError:
        return 0
    return 1


def settled(impairer: RelayImpairer) -> tuple[Counters, Counters]:
    """Return the counters once nothing is under way any more."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        ways = impairer.counters()["span"]
        if not any(map(unaccounted, ways)):
            return ways
        time.sleep(0.05)
    return ways


def drain(there: socket.socket) -> None:
    there.settimeout(0.2)
    try:
        while there.recv(1 << 16):
            pass
    except TimeoutError:
        there.settimeout(5)


def test_many_short_frames_at_once_are_all_told_of() -> None:
    """A storm of ARP requests faster than the span: what has no room is counted."""
    arp = BROADCAST + HOST + b"\x08\x06" + bytes(46)
    with relay() as impairer, listening(ENDS[1]) as there:
        impairer.apply("span", Duplex.both(replace(PLAIN, rate_bps=10**6, queue_bytes=5_000)))
        with sending(ENDS[0]) as sender:
            sent = sum(_send(sender, arp) for _ in range(5_000))
            forward, _ = settled(impairer)
            assert forward.packets + device_drops(ENDS[0]) == sent
            assert forward.queue_drops > 0
            assert unaccounted(forward) == 0
            impairer.apply("span", Duplex.both(PLAIN))
            check_good_frames_pass(there, sender)
