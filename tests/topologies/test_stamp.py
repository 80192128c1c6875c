"""STAMP's packets: what structs write, Scapy's layers and a foreign dissector read."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib.stamp import (
    STAMPSessionReflectorTestUnauthenticated,
    STAMPSessionSenderTestUnauthenticated,
)
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from topologies.emulation import stamp
from topologies.emulation.stamp import Reflected, StampReflector, StampSender

TIMES = st.integers(0, 2_085_978_495 * 10**9)
"""In ns since 1970: to the end of NTP's first era."""
NUMBERS = st.integers(0, 2**32 - 1)
SENT_NS = 1_700_000_000_123_456_789


def sent(sequence: int, time_ns: int) -> bytes:
    packet = stamp.sender_template(stamp.BYTES)
    stamp.write_head(packet, sequence, time_ns)
    return bytes(packet)


def reflected(heard: bytes, received_ns: int, ttl: int, sequence: int, time_ns: int) -> bytes:
    packet = stamp.reflector_template()
    stamp.write_echo(packet, heard, received_ns, ttl)
    stamp.write_head(packet, sequence, time_ns)
    return bytes(packet)


@given(TIMES)
def test_a_time_survives_as_an_ntp_timestamp(time_ns: int) -> None:
    assert stamp.from_ntp(stamp.to_ntp(time_ns)) == time_ns


def test_ntp_counts_from_1900() -> None:
    assert stamp.to_ntp(0) == 2_208_988_800 << 32
    assert stamp.to_ntp(5 * 10**8) == (2_208_988_800 << 32) + 2**31


@given(NUMBERS, TIMES)
def test_a_senders_packet_reads_the_same_by_scapy(sequence: int, time_ns: int) -> None:
    packet = sent(sequence, time_ns)
    layer = StampSender(packet)
    assert len(packet) == stamp.BYTES
    assert (layer.sequence, stamp.from_ntp(layer.timestamp)) == (sequence, time_ns)
    assert (layer.S, layer.Z, layer.scale, layer.multiplier) == (0, 0, stamp.ERROR_SCALE, 1)
    assert layer.mbz == bytes(30)
    assert bytes(layer) == packet
    assert stamp.read_head(packet) == (sequence, time_ns)


@given(NUMBERS, TIMES, TIMES, st.integers(0, 255), NUMBERS, TIMES)
def test_a_reflectors_packet_reads_the_same_by_scapy(
    echoed: int, echoed_ns: int, received_ns: int, ttl: int, sequence: int, time_ns: int
) -> None:
    packet = reflected(sent(echoed, echoed_ns), received_ns, ttl, sequence, time_ns)
    layer = StampReflector(packet)
    assert len(packet) == stamp.BYTES
    assert (layer.sequence, layer.sender_sequence, layer.sender_ttl) == (sequence, echoed, ttl)
    assert (layer.sender_scale, layer.sender_multiplier) == (stamp.ERROR_SCALE, 1)
    assert (layer.mbz1, layer.mbz2, layer.mbz3) == (0, 0, bytes(3))
    assert bytes(layer) == packet
    times = layer.timestamp, layer.receive_timestamp, layer.sender_timestamp
    assert tuple(map(stamp.from_ntp, times)) == (time_ns, received_ns, echoed_ns)
    found = stamp.read_reflected(packet)
    assert found == Reflected(sequence, time_ns, received_ns, echoed, echoed_ns)


def test_scapys_own_stamp_lays_the_fields_out_alike() -> None:
    heard = sent(7, SENT_NS)
    theirs = STAMPSessionSenderTestUnauthenticated(heard)
    assert (theirs.seq, theirs.err_estimate.scale) == (7, stamp.ERROR_SCALE)
    answer = STAMPSessionReflectorTestUnauthenticated(
        reflected(heard, SENT_NS + 5, 63, 3, SENT_NS + 6)
    )
    assert (answer.seq, answer.seq_sender, answer.ttl_sender) == (3, 7, 63)


def test_padding_makes_a_packet_longer_and_it_is_never_shorter() -> None:
    packet = stamp.sender_template(200)
    assert len(packet) == 200
    assert packet[stamp.BYTES :] == bytes(200 - stamp.BYTES)
    with pytest.raises(ValueError, match="44 bytes at least"):
        stamp.sender_template(stamp.BYTES - 1)


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
def test_tshark_reads_the_same(tmp_path: Path) -> None:
    heard = sent(7, SENT_NS)
    answer = reflected(heard, SENT_NS + 5_000_000, 63, 3, SENT_NS + 6_000_000)
    capture = tmp_path / "stamp.pcap"
    near, far = "02:00:00:00:00:01", "02:00:00:00:00:02"
    there = Ether(src=near, dst=far) / IP(src="10.0.0.1", dst="10.0.0.2")
    back = Ether(src=far, dst=near) / IP(src="10.0.0.2", dst="10.0.0.1")
    wrpcap(
        str(capture),
        [
            there / UDP(sport=40_000, dport=stamp.PORT) / heard,
            back / UDP(sport=stamp.PORT, dport=40_000) / answer,
        ],
    )
    # STAMP's reflector speaks TWAMP's format (RFC 8762, section 4.6), which tshark knows.
    fields = ["seq_number", "timestamp", "error_estimate.scale", "receive_timestamp"]
    fields += ["sender_seq_number", "sender_timestamp", "sender_ttl"]
    done = subprocess.run(
        [
            *("tshark", "-r", str(capture), "-d", f"udp.port=={stamp.PORT},twamp.test"),
            *("-T", "fields", *(word for name in fields for word in ("-e", f"twamp.test.{name}"))),
        ],
        env={**os.environ, "HOME": str(tmp_path), "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    sender, reflector = (line.split("\t") for line in done.stdout.splitlines())
    assert (sender[0], sender[2].split(",")[0]) == ("7", str(stamp.ERROR_SCALE))
    assert "22:13:20.12345678" in sender[1], "the last digit is rounded down"
    assert (reflector[0], reflector[4], reflector[6]) == ("3", "7", "63")
    for field, digits in ((1, "20.12945678"), (3, "20.12845678"), (5, "20.12345678")):
        assert digits in reflector[field]
