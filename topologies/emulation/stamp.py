"""The test packets of STAMP (RFC 8762, unauthenticated mode) as Scapy layers, and as structs.

Scapy crafts the template of a session's packets and dissects captures; in between, structs of the
same layout write and read what changes from packet to packet, a hundred times faster.
"""

from __future__ import annotations

import struct
from typing import ClassVar, NamedTuple

from scapy.fields import (
    AnyField,
    BitField,
    ByteField,
    IntField,
    LongField,
    ShortField,
    StrFixedLenField,
)
from scapy.packet import Packet

PORT = 862
"""Where a Session-Reflector listens (RFC 8762, section 4.1)."""
NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900, where NTP begins (RFC 5905, section 6), to 1970."""
ERROR_SCALE = 16
"""Scale of the error estimate: 1 x 2^-32 x 2^16 s, or 15 us, from reading the clock to sending."""
BYTES = 44
"""Of a packet of either kind without padding (RFC 8762, sections 4.2.1 and 4.3.1)."""

_HEAD = struct.Struct("!IQ")
_ECHO = struct.Struct("!Q14s2xB")
_ECHO_AT, _ECHOED_BYTES = 16, 14
_REFLECTED = struct.Struct("!IQ4xQIQ")


def error_estimate(prefix: str = "") -> list[BitField | ByteField]:
    """Return the fields of an error estimate (RFC 4656, section 4.1.2; Z of RFC 8186).

    S is 1 where the clock is synchronised to UTC, Z is 0 for NTP timestamps; the error is
    multiplier x 2^-32 x 2^scale seconds.
    """
    return [
        BitField(f"{prefix}S", 0, 1),
        BitField(f"{prefix}Z", 0, 1),
        BitField(f"{prefix}scale", ERROR_SCALE, 6),
        ByteField(f"{prefix}multiplier", 1),
    ]


class StampSender(Packet):
    """A Session-Sender's test packet (RFC 8762, section 4.2.1, figure 3).

    ``timestamp`` is when it was sent, in the NTP 64-bit format (see `to_ntp`).
    """

    name = "STAMP Session-Sender"
    fields_desc: ClassVar[list[AnyField]] = [
        IntField("sequence", 0),
        LongField("timestamp", 0),
        *error_estimate(),
        StrFixedLenField("mbz", bytes(30), 30),
    ]


class StampReflector(Packet):
    """A Session-Reflector's test packet (RFC 8762, section 4.3.1, figure 5).

    ``timestamp`` is when it was sent, ``receive_timestamp`` when the sender's packet came, of which
    it repeats the sequence number, the timestamp, the error estimate and the TTL. A stateful
    reflector (section 4) counts in ``sequence`` what it sends itself, so that the loss of each
    direction can be told.
    """

    name = "STAMP Session-Reflector"
    fields_desc: ClassVar[list[AnyField]] = [
        IntField("sequence", 0),
        LongField("timestamp", 0),
        *error_estimate(),
        ShortField("mbz1", 0),
        LongField("receive_timestamp", 0),
        IntField("sender_sequence", 0),
        LongField("sender_timestamp", 0),
        *error_estimate("sender_"),
        ShortField("mbz2", 0),
        ByteField("sender_ttl", 0),
        StrFixedLenField("mbz3", bytes(3), 3),
    ]


class Reflected(NamedTuple):
    """What a reflector's packet says; times in ns since 1970."""

    sequence: int
    sent_ns: int
    received_ns: int
    sender_sequence: int
    sender_sent_ns: int


def to_ntp(time_ns: int) -> int:
    """Return a time in ns since 1970 as a 64-bit NTP timestamp: seconds since 1900 x 2^32.

    Era 0 ends in 2036; as RFC 5905 has it, later times wrap around.
    """
    return (((time_ns + NTP_EPOCH_S * 10**9) << 32) // 10**9) & (2**64 - 1)


def from_ntp(timestamp: int) -> int:
    """Return an NTP timestamp of this era in ns since 1970, exact for what `to_ntp` made."""
    return -(-timestamp * 10**9 >> 32) - NTP_EPOCH_S * 10**9


def sender_template(payload_bytes: int) -> bytearray:
    """Craft a sender's packet, padded with zeros; raises ValueError when it cannot be so short."""
    if payload_bytes < BYTES:
        raise ValueError(f"a STAMP packet has {BYTES} bytes at least, not {payload_bytes}")
    return bytearray(bytes(StampSender()) + bytes(payload_bytes - BYTES))


def reflector_template() -> bytearray:
    """Craft a reflector's packet."""
    return bytearray(bytes(StampReflector()))


def write_head(packet: bytearray, sequence: int, sent_ns: int) -> None:
    """Write the sequence number and the time of sending into a packet of either kind."""
    _HEAD.pack_into(packet, 0, sequence, to_ntp(sent_ns))


def write_echo(packet: bytearray, heard: bytes, received_ns: int, ttl: int) -> None:
    """Write what a reflector repeats of a sender's packet."""
    _ECHO.pack_into(packet, _ECHO_AT, to_ntp(received_ns), heard[:_ECHOED_BYTES], ttl)


def read_head(packet: bytes) -> tuple[int, int]:
    """Return the sequence number and the time of sending (ns since 1970) of either kind."""
    sequence, timestamp = _HEAD.unpack_from(packet)
    return sequence, from_ntp(timestamp)


def read_reflected(packet: bytes) -> Reflected:
    """Return what a reflector's packet says."""
    sequence, sent, received, echoed, echoed_sent = _REFLECTED.unpack_from(packet)
    return Reflected(sequence, from_ntp(sent), from_ntp(received), echoed, from_ntp(echoed_sent))
