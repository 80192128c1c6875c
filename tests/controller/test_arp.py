"""Proxy ARP, against os-ken's own packet library."""

from __future__ import annotations

from typing import Any

import pytest
from os_ken.lib.packet import arp as os_ken_arp
from os_ken.lib.packet import ethernet, packet

from controller.arp import reply
from topologies.graph import Graph

BROADCAST = "ff:ff:ff:ff:ff:ff"


def request(source_mac: str, source_ip: str, target_ip: str, **changes: Any) -> bytes:
    frame = packet.Packet()
    frame.add_protocol(ethernet.ethernet(BROADCAST, source_mac, 0x0806))
    fields = {"opcode": 1, "src_mac": source_mac, "src_ip": source_ip, "dst_ip": target_ip}
    frame.add_protocol(os_ken_arp.arp(**{**fields, **changes}))
    frame.serialize()
    return bytes(frame.data)


def test_every_host_is_answered_for(graph: Graph) -> None:
    hosts = {host.ip: host for host in graph.hosts}
    asker = graph.hosts[0]
    for target in graph.hosts[1:]:
        frame = request(asker.mac, asker.ip, target.ip)
        answer = reply(frame + bytes(18), hosts)  # padded to Ethernet's minimum
        assert answer is not None
        parsed = packet.Packet(answer)
        outer, inner = parsed.get_protocol(ethernet.ethernet), parsed.get_protocol(os_ken_arp.arp)
        assert (outer.dst, outer.src, outer.ethertype) == (asker.mac, target.mac, 0x0806)
        assert inner.opcode == 2
        assert (inner.src_mac, inner.src_ip) == (target.mac, target.ip)
        assert (inner.dst_mac, inner.dst_ip) == (asker.mac, asker.ip)


@pytest.mark.parametrize(
    "frame",
    [
        request("02:00:0a:01:00:01", "10.1.0.1", "10.9.9.9"),
        request("02:00:0a:01:00:01", "10.1.0.1", "10.1.0.1"),
        request("02:00:0a:01:00:01", "0.0.0.0", "10.1.0.1"),
        request("02:00:0a:01:00:01", "10.1.0.1", "10.1.0.2", opcode=2),
        request("02:00:0a:01:00:01", "10.1.0.1", "10.1.0.2", hwtype=6),
        request("02:00:0a:01:00:01", "10.1.0.1", "10.1.0.2")[:40],
        b"",
    ],
    ids=["stranger", "announcement", "probe", "reply", "hardware", "short", "empty"],
)
def test_nothing_else_is_answered(graph: Graph, frame: bytes) -> None:
    assert reply(frame, {host.ip: host for host in graph.hosts}) is None
