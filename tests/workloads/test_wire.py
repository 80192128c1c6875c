"""What a network interface has moved, as the kernel shows it."""

from __future__ import annotations

import socket

import pytest

from workloads.wire import Moved, counters_of, moved_in

TABLE = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop
    lo:     120       2    0    0    0     0          0         0      120       2    0    0
  eth0:99123       17    0    0    0     0          0         0   456789      21    0    0
"""


def test_an_interface_is_read_by_its_name() -> None:
    assert moved_in(TABLE, "eth0") == Moved(sent=456789, received=99123)
    with pytest.raises(ValueError, match="eth1"):
        moved_in(TABLE, "eth1")


def test_what_passes_is_counted() -> None:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with udp, counters_of("lo") as moved_by_now:
        before = moved_by_now()
        udp.sendto(bytes(1000), ("127.0.0.1", 9))
        moved = moved_by_now().since(before)
    assert moved.sent >= 1028
    assert moved.received >= 1028
