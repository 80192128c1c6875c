"""Frames that show what a port leads to: LLDP (IEEE Std 802.1AB-2016). Pure.

The controller has a switch emit one from a port; whichever switch receives it hands it back. That
tells of a cable, and by its number and time of sending, of the delay and loss on the way.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from zlib import crc32

TOKEN_BYTES = 8
FRAME_BYTES = 73
"""Length of a frame sent from a port below 10; one more for each further digit."""

TTL_S = 5
"""How long a station that is not ours may believe a frame."""

_DESTINATION = bytes.fromhex("0180c200000e")
"""Nearest bridge (table 7-1): no bridge forwards it, so it tells of one cable and not of two."""
_ETHERTYPE = bytes.fromhex("88cc")
_ETHERNET_BYTES = 14

_END, _CHASSIS, _PORT, _TTL, _OURS = 0, 1, 2, 3, 127
_HEADER = struct.Struct("!H")  # type in 7 bits, length in 9 (clause 8.4)
_LOCAL = b"\x07"  # locally assigned, of chassis ids (table 8-2) and of port ids (table 8-3)

_ORGANISATION = bytes.fromhex("02736c")
"""Stands where an organisation's identifier does, and can be no organisation's.

The IEEE assigns none whose first byte ends in 2, as hexadecimal: they are for a network's own
administrator to choose (IEEE Std 802c-2017; RFC 8948, section 1). It did assign a few long ago, of
which this is none.
"""
_SUBTYPE = 1
_CONTENT = struct.Struct(f"!3sB{TOKEN_BYTES}sIQ")
_CHECKSUM = struct.Struct("!I")

_CHASSIS_ID = re.compile(_LOCAL + rb"([0-9a-f]{16})")
_PORT_ID = re.compile(_LOCAL + rb"([0-9]{1,10})")


@dataclass(frozen=True)
class Hello:
    """What a frame says.

    Attributes:
        dpid: datapath id of the switch that was to emit it.
        port: the port that it was to leave by.
        number: its number, below 2^32.
        sent_ns: when it was sent, by the controller's monotonic clock.
        token: the controller that sent it: 8 bytes, other ones after a restart.
    """

    dpid: int
    port: int
    number: int
    sent_ns: int
    token: bytes


def frame(hello: Hello, source_mac: str) -> bytes:
    """Return the frame; raises struct.error where a number does not fit."""
    assert len(hello.token) == TOKEN_BYTES
    source = bytes.fromhex(source_mac.replace(":", ""))
    content = _ORGANISATION, _SUBTYPE, hello.token, hello.number, hello.sent_ns
    checked = (
        _DESTINATION
        + source
        + _ETHERTYPE
        + _tlv(_CHASSIS, _LOCAL + f"{hello.dpid:016x}".encode())
        + _tlv(_PORT, _LOCAL + str(hello.port).encode())
        + _tlv(_TTL, struct.pack("!H", TTL_S))
        + _header(_OURS, _CONTENT.size + _CHECKSUM.size)
        + _CONTENT.pack(*content)
    )
    # A span may flip a bit, and the emulation has no Ethernet checksum that would drop the frame:
    # a wrong port in it would be taken for a wrong cable.
    return checked + _CHECKSUM.pack(crc32(checked)) + _tlv(_END, b"")


def parse(data: bytes) -> Hello | None:
    """Return what a frame says, or None where `frame` did not make it or a bit of it is wrong.

    Whether it is this controller's own, its token tells. Bytes after its end are padding.
    """
    if data[:6] != _DESTINATION or data[12:_ETHERNET_BYTES] != _ETHERTYPE:
        return None
    values = []
    at = _ETHERNET_BYTES
    for kind in (_CHASSIS, _PORT, _TTL, _OURS, _END):
        value = _value(data, at, kind)
        if value is None:
            return None
        values.append(value)
        at += _HEADER.size + len(value)
    chassis_id, port_id = _CHASSIS_ID.fullmatch(values[0]), _PORT_ID.fullmatch(values[1])
    ours, end = values[3], values[4]
    if not chassis_id or not port_id or len(ours) != _CONTENT.size + _CHECKSUM.size or end:
        return None
    organisation, subtype, token, number, sent_ns = _CONTENT.unpack_from(ours)
    (checksum,) = _CHECKSUM.unpack_from(ours, _CONTENT.size)
    checked = data[: at - _HEADER.size - _CHECKSUM.size]
    if (organisation, subtype, checksum) != (_ORGANISATION, _SUBTYPE, crc32(checked)):
        return None
    return Hello(int(chassis_id[1], 16), int(port_id[1]), number, sent_ns, token)


def _header(kind: int, length: int) -> bytes:
    return _HEADER.pack(kind << 9 | length)


def _tlv(kind: int, value: bytes) -> bytes:
    return _header(kind, len(value)) + value


def _value(data: bytes, at: int, kind: int) -> bytes | None:
    """Return the value of the TLV that begins at a byte, if it is whole and of this kind."""
    start = at + _HEADER.size
    if len(data) < start:
        return None
    (header,) = _HEADER.unpack_from(data, at)
    end = start + (header & 0x1FF)
    return data[start:end] if header >> 9 == kind and len(data) >= end else None
