"""Rules that somebody else changes: the switches tell of them as it happens.

OpenFlow 1.3's flow monitoring (ONF extension 187, which Open vSwitch speaks since 2.17 at the
latest): a switch sends every change of its rules to whoever asked. Those that the asker made itself
come as a mere transaction number; what comes in full was made by others, for however short.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

EXPERIMENTER, FLOW_MONITOR = 0x4F4E4600, 1870
_CHANGES = {0: "made", 1: "removed", 2: "changed"}
_ADD_DELETE_MODIFY_ACTIONS = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4
_REQUEST = struct.Struct("!IHHIB3x")
_ANY_PORT, _ALL_TABLES = 0xFFFFFFFF, 0xFF
_ANYTHING = struct.pack("!HH4x", 1, 4)
"""An empty match."""
_HEADER, _FULL = struct.Struct("!HH"), struct.Struct("!HHHHHHHBxQ")


def monitoring(datapath: Any) -> Any:
    """Return the message that asks a switch to tell of changes from now on."""
    request = _REQUEST.pack(1, _ADD_DELETE_MODIFY_ACTIONS, 4, _ANY_PORT, _ALL_TABLES) + _ANYTHING
    return datapath.ofproto_parser.OFPExperimenterStatsRequest(
        datapath, 0, EXPERIMENTER, FLOW_MONITOR, request
    )


def foreign_changes(datapath: Any, told: Any) -> Iterator[str]:
    """Yield what others changed, of the body of a switch's experimental report."""
    if (told.experimenter, told.exp_type) != (EXPERIMENTER, FLOW_MONITOR):
        return
    data, offset = bytes(told.data), 0
    while offset + _HEADER.size <= len(data):
        length, event = _HEADER.unpack_from(data, offset)
        if not _HEADER.size <= length <= len(data) - offset:
            return  # nonsense: the rest cannot be read
        if event in _CHANGES and length >= _FULL.size:
            _, _, _, priority, _, _, _, table, _ = _FULL.unpack_from(data, offset)
            match = datapath.ofproto_parser.OFPMatch.parser(data, offset + _FULL.size)
            fields = ", ".join(f"{name}={value}" for name, value in sorted(match.items()))
            rule = f"a rule of table {table}, priority {priority}, for {fields or 'all packets'}"
            yield f"{_CHANGES[event]} {rule}"
        offset += length
