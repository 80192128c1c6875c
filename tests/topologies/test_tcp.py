"""What a host's route says of TCP."""

from __future__ import annotations

from topologies.tcp import AS_IT_IS, HostTcp


def test_what_is_not_told_is_left_alone() -> None:
    assert AS_IT_IS.metrics == {}
    assert AS_IT_IS.buffers is None


def test_a_route_holds_what_it_is_told() -> None:
    tcp = HostTcp(rto_min_ns=800 * 10**6, window_bytes=131_070, initial_window=3)
    assert tcp.metrics == {"rto_min": 800, "window": 131_070, "initcwnd": 3}
    assert tcp.buffers == 2 * 131_070
    assert tcp.window_bytes in HostTcp.windows()
