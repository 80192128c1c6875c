"""LLDP frames, against os-ken's own packet library, chance and single wrong bits."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from os_ken.lib.packet import ethernet, packet
from os_ken.lib.packet import lldp as os_ken_lldp

from controller.lldp import FRAME_BYTES, Hello, frame, parse

MAC = "02:00:00:00:00:2a"
HELLO = Hello(dpid=0x2A, port=7, number=12, sent_ns=1_234_567_890_123, token=b"a token!")

hellos = st.builds(
    Hello,
    dpid=st.integers(0, 2**64 - 1),
    port=st.integers(0, 2**32 - 1),
    number=st.integers(0, 2**32 - 1),
    sent_ns=st.integers(0, 2**64 - 1),
    token=st.binary(min_size=8, max_size=8),
)


@given(hellos, st.binary(max_size=20))
@settings(max_examples=200, deadline=None)
def test_what_is_sent_is_read_even_when_padded(hello: Hello, padding: bytes) -> None:
    assert parse(frame(hello, MAC) + padding) == hello


def test_others_can_read_it() -> None:
    parsed = packet.Packet(frame(HELLO, MAC))
    outer = parsed.get_protocol(ethernet.ethernet)
    assert (outer.dst, outer.src, outer.ethertype) == ("01:80:c2:00:00:0e", MAC, 0x88CC)
    chassis, port, ttl, ours, end = parsed.get_protocol(os_ken_lldp.lldp).tlvs
    assert (chassis.subtype, chassis.chassis_id) == (7, b"000000000000002a")
    assert (port.subtype, port.port_id) == (7, b"7")
    assert 0 < ttl.ttl < 60
    assert ours.oui[0] & 0x0F == 0x02, "an identifier that is nobody's"
    assert isinstance(end, os_ken_lldp.End)


def test_the_length_is_the_stated_one_and_needs_no_padding() -> None:
    assert len(frame(HELLO, MAC)) == FRAME_BYTES >= 60
    assert len(frame(replace(HELLO, port=10), MAC)) == FRAME_BYTES + 1


def test_every_wrong_bit_is_noticed() -> None:
    data = frame(HELLO, MAC)
    for bit in range(8 * len(data)):
        wrong = bytearray(data)
        wrong[bit // 8] ^= 1 << bit % 8
        assert parse(bytes(wrong)) is None, f"bit {bit}"


@given(hellos, st.sets(st.integers(0, 8 * FRAME_BYTES - 1), min_size=1, max_size=64))
@settings(max_examples=300, deadline=None)
def test_several_wrong_bits_are_noticed(hello: Hello, bits: set[int]) -> None:
    wrong = bytearray(frame(hello, MAC))
    for bit in bits:
        wrong[bit // 8] ^= 1 << bit % 8
    assert parse(bytes(wrong)) is None


def test_a_part_is_not_a_frame() -> None:
    data = frame(HELLO, MAC)
    for length in range(len(data)):
        assert parse(data[:length]) is None


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_garbage_is_not_a_frame(garbage: bytes) -> None:
    assert parse(garbage) is None
    start = frame(HELLO, MAC)[:14]
    assert parse(start + garbage) is None


def test_the_frame_of_another_station_is_not_ours() -> None:
    local = os_ken_lldp.ChassisID.SUB_LOCALLY_ASSIGNED, os_ken_lldp.PortID.SUB_LOCALLY_ASSIGNED
    tlvs = [
        os_ken_lldp.ChassisID(subtype=local[0], chassis_id=b"000000000000002a"),
        os_ken_lldp.PortID(subtype=local[1], port_id=b"7"),
        os_ken_lldp.TTL(ttl=120),
        os_ken_lldp.End(),
    ]
    foreign = packet.Packet()
    foreign.add_protocol(ethernet.ethernet("01:80:c2:00:00:0e", MAC, 0x88CC))
    foreign.add_protocol(os_ken_lldp.lldp(tlvs))
    foreign.serialize()
    assert parse(bytes(foreign.data)) is None


@pytest.mark.parametrize("wrong", [{"number": 2**32}, {"sent_ns": 2**64}, {"sent_ns": -1}])
def test_a_number_that_does_not_fit_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(struct.error):
        frame(replace(HELLO, **wrong), MAC)  # type: ignore[arg-type]
