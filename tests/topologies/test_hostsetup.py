"""Hosts are kept by one process and set up without others; the system's own tools agree."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from topologies.emulation import rtnetlink
from topologies.emulation.emptyhosts import EmptyHosts
from topologies.emulation.errors import EmulationError, MachineError
from topologies.emulation.hostsetup import HOST_INTERFACE, Access, Settings, inside, set_up
from topologies.emulation.kernel import private_network
from topologies.tcp import HostTcp

pytestmark = pytest.mark.needs_root

MAC, PEER = "02:00:0a:01:00:01", "02:00:0a:02:00:01"
SETTINGS = Settings("10.1.0.1", Access(10**9, 9000), "reno", {"10.2.0.1": PEER})
TCP = HostTcp(rto_min_ns=800 * 10**6, window_bytes=65_535 << 8, initial_window=3)


@pytest.fixture
def host() -> Iterator[int]:
    """Yield the thread that keeps a host's network, in which there is a device."""
    with private_network():
        hosts = EmptyHosts(1)
        try:
            (place,) = hosts.threads
            with (
                rtnetlink.Rtnetlink() as kernel,
                Path(f"/proc/{place}/ns/net").open() as network,
            ):
                kernel.ask([rtnetlink.veth("h0", HOST_INTERFACE, network.fileno(), MAC, 9000)])
            yield place
        finally:
            hosts.close()


def seen(place: int, *command: str) -> Any:
    command = ("nsenter", f"--net=/proc/{place}/ns/net", *command)
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def test_a_host_is_what_its_settings_say(host: int) -> None:
    inside(host, lambda: set_up(replace(SETTINGS, tcp=TCP)))
    loopback, device = seen(host, "ip", "-j", "address")
    assert "UP" in loopback["flags"]
    assert (device["ifname"], device["address"], device["mtu"]) == (HOST_INTERFACE, MAC, 9000)
    assert "UP" in device["flags"]
    assert [it["local"] for it in device["addr_info"]] == ["10.1.0.1"], "and none of IPv6"
    (route,) = seen(host, "ip", "-j", "route")
    assert (route["dst"], route["metrics"]) == ("10.0.0.0/8", [TCP.metrics])
    (peer,) = seen(host, "ip", "-j", "neighbour")
    assert (peer["dst"], peer["lladdr"], peer["state"]) == ("10.2.0.1", PEER, ["PERMANENT"])
    queue = seen(host, "tc", "-j", "qdisc", "show", "dev", HOST_INTERFACE)[0]
    assert (queue["kind"], queue["options"]["rate"]) == ("tbf", 10**9 // 8)
    (features,) = seen(host, "ethtool", "--json", "-k", HOST_INTERFACE)
    segmentation = ("tx-tcp-segmentation", "generic-segmentation-offload")
    for name in ("tx-checksumming", "scatter-gather", *segmentation, "generic-receive-offload"):
        assert not features[name]["active"], name
    room = inside(host, lambda: Path("/proc/sys/net/ipv4/tcp_rmem").read_text().split())
    assert int(room[2]) >= 2 * (65_535 << 8)


@pytest.mark.parametrize("rate_bps", [1_000_003, 30 * 10**9, 400 * 10**9])
def test_a_rate_is_kept_to_the_byte(host: int, rate_bps: int) -> None:
    settings = replace(SETTINGS, access=Access(rate_bps, 1500))
    inside(host, lambda: set_up(settings))
    queue = seen(host, "tc", "-j", "qdisc", "show", "dev", HOST_INTERFACE)[0]
    assert queue["options"]["rate"] == rate_bps // 8


def test_what_the_machine_does_not_permit_is_told(host: int) -> None:
    with pytest.raises(MachineError, match=r"TCP vegas .* sysctl -w .*='reno vegas'"):
        inside(host, lambda: set_up(replace(SETTINGS, congestion_control="vegas")))


def test_what_the_kernel_refuses_has_a_name() -> None:
    with (
        private_network(),
        rtnetlink.Rtnetlink() as kernel,
        pytest.raises(EmulationError, match=r"address 10\.1\.0\.1/8: No such device"),
    ):
        kernel.ask([rtnetlink.address(99, "10.1.0.1", 8)])


def test_more_neighbours_than_linux_learns(host: int) -> None:
    """Those that are there for good are not among the 1,024 that it keeps at a time."""
    many = {f"10.3.{it >> 8}.{it & 255}": PEER for it in range(1, 2001)}
    inside(host, lambda: set_up(replace(SETTINGS, neighbours=many)))
    assert len(seen(host, "ip", "-j", "neighbour")) == 2000
