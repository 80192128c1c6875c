"""Devices of spans have carrier while both directions are up, and lose nothing else with it."""

from __future__ import annotations

import json
import select
import socket
import statistics
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from topologies.emulation.carrier import Carrier
from topologies.emulation.errors import ImpairmentError
from topologies.emulation.kernel import private_network
from topologies.emulation.relay.impairer import RelayImpairer
from topologies.linkstate import Duplex, LinkState

pytestmark = pytest.mark.needs_root

MS = 10**6
UP = LinkState(10**9, 100 * MS)
DOWN = replace(UP, up=False)
ENDS = ("span0a", "span0b")
FRAME = b"\2\0\0\0\0\2" + b"\2\0\0\0\0\1" + b"\x88\xb5" + bytes(50)
ETHER_TYPE = 0x88B5
"""For local experiments (IEEE 802)."""
RTMGRP_LINK, IFF_RUNNING = 1, 0x40


@pytest.fixture
def relay() -> Iterator[RelayImpairer]:
    with private_network():
        impairer = RelayImpairer(["span"], 1500, seed=1)
        try:
            impairer.counters()  # waits for its process
            yield impairer
        finally:
            impairer.close()


def ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
    return done.stdout


def lit(*devices: str) -> list[bool]:
    links = {link["ifname"]: link["flags"] for link in json.loads(ip("-j", "link"))}
    return ["NO-CARRIER" not in links[device] for device in devices]


class Listener:
    """Hears from the kernel what becomes of every device (rtnetlink(7)): nothing is missed."""

    def __init__(self) -> None:
        self._names = dict(socket.if_nameindex())
        self._told: dict[str, list[tuple[int, bool]]] = {name: [] for name in self._names.values()}
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._netlink.bind((0, RTMGRP_LINK))

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *error: object) -> None:
        self._netlink.close()

    def told(self, device: str) -> list[tuple[int, bool]]:
        """Return when a device came to have carrier, or to lack it."""
        while select.select([self._netlink], [], [], 0)[0]:
            message = self._netlink.recv(1 << 16)
            _, index, flags = struct.unpack_from("=HiI", message, 18)
            changes, on = self._told[self._names[index]], bool(flags & IFF_RUNNING)
            if not changes or changes[-1][1] != on:
                changes.append((time.monotonic_ns(), on))
        return self._told[device]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_devices_lose_carrier_together_deliver_what_comes_and_get_it_back() -> None:
    with private_network():
        ip("link", "add", "near", "type", "veth", "peer", "name", "far")
        for device in ("near", "far"):
            ip("link", "set", device, "up")
        until(lambda: "state UP" in ip("link", "show", "near"))
        with (
            closing(Carrier(["near", "far"])) as carrier,
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as source,
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHER_TYPE)) as sink,
        ):
            source.bind(("near", ETHER_TYPE))
            sink.bind(("far", ETHER_TYPE))
            for on in (False, True, False, True):
                carrier.put(on)
                assert lit("near", "far") == [on, on]
                source.send(FRAME)
                assert select.select([sink], [], [], 5)[0]
                assert sink.recv(2048) == FRAME
            ip("link", "del", "near")
            with pytest.raises(ImpairmentError, match="carrier off at near: No such device"):
                carrier.put(False)


def test_a_span_is_dark_until_its_first_state_and_while_either_direction_is_down(
    relay: RelayImpairer,
) -> None:
    assert lit(*ENDS) == [False, False]
    for forward, backward in ((UP, UP), (DOWN, UP), (UP, UP), (UP, DOWN), (DOWN, DOWN), (UP, UP)):
        relay.apply("span", Duplex(forward, backward))
        assert lit(*ENDS) == [forward.up and backward.up] * 2


def test_a_frame_under_way_arrives_at_a_span_that_has_gone_dark(relay: RelayImpairer) -> None:
    relay.apply("span", Duplex.both(UP))
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as source,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHER_TYPE)) as sink,
    ):
        source.bind((ENDS[0], ETHER_TYPE))
        sink.bind((ENDS[1], ETHER_TYPE))
        source.send(FRAME)
        until(lambda: relay.counters()["span"][0].packets == 1)
        relay.apply("span", Duplex.both(DOWN))
        source.send(FRAME)  # to a port that is dark: the span drops it, and counts it
        assert select.select([sink], [], [], 5)[0]
        assert sink.recv(2048) == FRAME
        assert lit(*ENDS) == [False, False]
        until(lambda: relay.counters()["span"][0].down_drops == 1)
    assert relay.counters()["span"][0].delivered == 1


def test_a_replay_takes_carrier_and_gives_it_back_in_time_without_any_frame(
    relay: RelayImpairer,
) -> None:
    step_ns = 60 * MS
    up, down = Duplex.both(UP), Duplex(UP, DOWN)
    with Listener() as listener:
        begin_ns = time.monotonic_ns() + 100 * MS
        relay.replay("span", [(n * step_ns, (up, down)[n % 2]) for n in range(5)], begin_ns)
        assert lit(*ENDS) == [True, True]
        until(lambda: all(len(listener.told(device)) >= 5 for device in ENDS))
        changes = [listener.told(device) for device in ENDS]
    for seen in changes:
        assert [on for _, on in seen] == [True, False, True, False, True]
        late_ns = [at - begin_ns - n * step_ns for n, (at, _) in enumerate(seen)][1:]
        assert all(late >= 0 for late in late_ns)
        # The kernel changes one device at a time, whoever else is taking a network down.
        assert statistics.median(late_ns) < step_ns / 2


def test_a_new_state_ends_a_replay(relay: RelayImpairer) -> None:
    up, down = Duplex.both(UP), Duplex.both(DOWN)
    relay.replay("span", [(0, up), (200 * MS, down)], time.monotonic_ns())
    relay.apply("span", up)
    time.sleep(0.3)
    assert lit(*ENDS) == [True, True]


def test_carrier_that_does_not_come_is_an_error(relay: RelayImpairer) -> None:
    up, down = Duplex.both(UP), Duplex.both(DOWN)
    relay.apply("span", up)
    ip("link", "set", ENDS[1], "down")
    with pytest.raises(ImpairmentError, match="span span: carrier on at span0b"):
        relay.apply("span", up)
    relay.replay("span", [(0, down), (MS, up)], time.monotonic_ns())
    with pytest.raises(ImpairmentError, match="carrier on at span0b"):
        until(lambda: relay.counters() == {})
    ip("link", "set", ENDS[1], "up")
    with pytest.raises(ImpairmentError, match="carrier on at span0b"):
        relay.apply("span", down)
    relay.apply("span", down)
    assert lit(*ENDS) == [False, False]
