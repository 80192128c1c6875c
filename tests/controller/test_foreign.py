"""What Open vSwitch 3.1 told of changes that somebody else made, as it came over the wire."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from os_ken.ofproto import ofproto_v1_3_parser
from os_ken.ofproto.ofproto_protocol import ProtocolDesc

from controller.foreign import EXPERIMENTER, FLOW_MONITOR, foreign_changes, monitoring

DATAPATH = SimpleNamespace(ofproto_parser=ofproto_v1_3_parser)
MADE = bytes.fromhex(
    "0030000000000005000000000012010000000000000000770001001280000a020800800018040a000001000000000000"
)
CHANGED = bytes.fromhex(
    "0048000200000005000000000012010000000000000000770001001280000a020800800018040a000001000000000000"
    "000400180000000000000010000000030000000000000000"
)
OWN = bytes.fromhex("0008000300000009")
REMOVED = bytes.fromhex("0020000100020009000000000004010000000000000000050001000400000000")
RULE = "a rule of table 1, priority 5, for eth_type=2048, ipv4_dst=10.0.0.1"

ALL = "a rule of table 1, priority 9, for all packets"


def told(data: bytes, kind: int = FLOW_MONITOR) -> list[str]:
    body = SimpleNamespace(experimenter=EXPERIMENTER, exp_type=kind, data=data)
    return list(foreign_changes(DATAPATH, body))


@pytest.mark.parametrize(
    ("data", "changes"),
    [
        (b"", []),
        (OWN, []),
        (MADE, [f"made {RULE}"]),
        (CHANGED, [f"changed {RULE}"]),
        (OWN + REMOVED, [f"removed {ALL}"]),
        (MADE + REMOVED + OWN, [f"made {RULE}", f"removed {ALL}"]),
        (b"\0\0\0\0" + MADE, []),
        (MADE[:20], []),
    ],
)  # fmt: skip
def test_what_others_did_is_told_and_what_was_done_oneself_is_not(
    data: bytes, changes: list[str]
) -> None:
    assert told(data) == changes


def test_other_reports_are_left_alone() -> None:
    assert told(MADE, kind=1) == []


def test_the_request_is_what_open_vswitch_takes() -> None:
    message = monitoring(ProtocolDesc(4))
    message.serialize()
    body = bytes(message.buf)[8:]
    assert body.hex() == "ffff0000000000004f4e46000000074e" + (
        "00000001001e0004ffffffffff000000" + "0001000400000000"
    )
