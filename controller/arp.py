"""ARP answered by the controller for every host, so that nothing is ever flooded. Pure."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from ipaddress import IPv4Address

from topologies.graph import Host

_ETHERNET = struct.Struct("!6s6sH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")  # RFC 826
_ETHERTYPE, _HARDWARE, _PROTOCOL, _REQUEST, _REPLY = 0x0806, 1, 0x0800, 1, 2


def reply(frame: bytes, hosts: Mapping[str, Host]) -> bytes | None:
    """Return the frame that answers an ARP request, or None where none is due.

    None is due to anything but a request over Ethernet for a host's IPv4 address, nor to a host
    that asks for its own address: that would tell it of a conflict (RFC 5227, section 2.1.1).
    ``hosts`` is by IPv4 address.
    """
    if len(frame) < _ETHERNET.size + _ARP.size:
        return None
    _, _, ethertype = _ETHERNET.unpack_from(frame)
    fields = _ARP.unpack_from(frame, _ETHERNET.size)
    kind, (asker_mac, asker_ip, _, target_ip) = fields[:5], fields[5:]
    if ethertype != _ETHERTYPE or kind != (_HARDWARE, _PROTOCOL, 6, 4, _REQUEST):
        return None
    host = hosts.get(str(IPv4Address(target_ip)))
    if host is None:
        return None
    mac = bytes.fromhex(host.mac.replace(":", ""))
    if mac == asker_mac:
        return None
    header = _ETHERNET.pack(asker_mac, mac, _ETHERTYPE)
    kind = (_HARDWARE, _PROTOCOL, 6, 4, _REPLY)
    return header + _ARP.pack(*kind, mac, target_ip, asker_mac, asker_ip)
