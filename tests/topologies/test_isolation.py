"""What counts as a way out of a network, by what the kernel and the switches say of it."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from topologies.emulation.isolation import devices, devices_out, ports_out, routes, routes_out

OWN = {"net0": ipaddress.ip_network("10.0.0.0/8")}
ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
net0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
"""
ROUTES_6 = """\
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 \
00000000000000000000000000000000 00000100 00000001 00000000 00000001     net0
00000000000000000000000000000001 80 00000000000000000000000000000000 00 \
00000000000000000000000000000000 00000000 00000002 00000000 80200001       lo
20010db8000000000000000000000000 20 00000000000000000000000000000000 00 \
fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
"""


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ({"ifname": "lo"}, []),
        ({"ifname": "tunl0", "linkinfo": {"info_kind": "ipip"}}, []),
        ({"ifname": "span0a", "linkinfo": {"info_kind": "tun"}}, []),
        ({"ifname": "h0", "linkinfo": {"info_kind": "veth"}, "link_netnsid": 3}, []),
        ({"ifname": "span0a0", "linkinfo": {"info_kind": "veth"}}, []),
        ({"ifname": "eth0"}, ["eth0"]),
        ({"ifname": "wg0", "linkinfo": {"info_kind": "wireguard"}}, ["wg0"]),
        ({"ifname": "mv0", "linkinfo": {"info_kind": "macvlan"}, "link_netnsid": 0}, ["mv0"]),
        ({"ifname": "x", "linkinfo": {"info_kind": "veth"}, "link_netnsid": 0}, ["x"]),
    ],
)
def test_devices_that_no_run_makes_are_told(link: dict[str, Any], told: list[str]) -> None:
    found = list(devices_out([link], {"h0", "span0a"}))
    assert len(found) == len(told)
    assert all(f"device {name}," in it for name, it in zip(told, found, strict=True))


def test_ports_of_no_cable_are_told() -> None:
    own = {"s1", "h0"}
    assert not list(ports_out({"s1": "internal", "h0": "", "s1-2": "patch"}, own))
    assert list(ports_out({"eth0": "system"}, own)) == [
        "the switch port eth0 is of no cable of the run"
    ]
    assert list(ports_out({"h0": "vxlan"}, own)) == ["the switch port h0 is a vxlan to elsewhere"]


def test_routes_further_than_the_network_are_told(tmp_path: Path) -> None:
    (tmp_path / "route").write_text(ROUTES)
    (tmp_path / "ipv6_route").write_text(ROUTES_6)
    found = routes(tmp_path)
    assert found == [
        ("net0", "10.0.0.0/8", False),
        ("eth0", "0.0.0.0/0", True),
        ("net0", "fe80::/64", False),
        ("eth0", "2001:db8::/32", True),
    ]
    assert list(routes_out("north-w1", found, OWN)) == [
        "north-w1: a route to 0.0.0.0/0 by eth0",
        "north-w1: a route to 2001:db8::/32 by eth0",
    ]
    through = [("net0", "10.0.0.0/8", True), ("net0", "0.0.0.0/0", False)]
    assert len(list(routes_out("north-w1", through, OWN))) == 2


def test_this_process_has_devices() -> None:
    assert "lo" in devices(Path("/proc/thread-self/net"))
