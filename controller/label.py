"""Labels: which configuration a packet is under, written in its destination's Ethernet address.

A packet is stamped where it enters with the version in force, and every switch on its way uses the
rules of that version alone: the two-phase update of Reitblatt et al., "Abstractions for Network
Update", SIGCOMM 2012. The label takes the place of the address that a switched network has no use
for in between, as in Agarwal et al., "Shadow MACs", HotSDN 2014: no packet gets longer. The last
switch puts the address back.

    06:00:vv:vv:dd:dd   vvvv the version, dddd the span that the packet goes around, 0 none

Host addresses begin with 02:00.
"""

from __future__ import annotations

MAX_VERSION = 0xFFFE
"""Meters, whose numbers begin with the version, end at 0xffff0000 (OFPM_MAX of OpenFlow 1.3)."""
UNLABELLED = ("02:00:00:00:00:00", "ff:ff:00:00:00:00")
LABELLED = ("06:00:00:00:00:00", "ff:ff:00:00:00:00")

COOKIE = int.from_bytes(b"span", "big") << 32
"""Marks every rule as ours; the version of those that belong to one is in the last 16 bits."""
COOKIE_DELIVER = COOKIE | 1 << 16
"""Marks the rules that hand packets to workers: their counters say who sends how much to whom."""


def label(version: int, detour: int = 0) -> str:
    """Return the address that labels a packet."""
    number = 0x0600 << 32 | version << 16 | detour
    return ":".join(f"{byte:02x}" for byte in number.to_bytes(6, "big"))


def any_detour(version: int) -> tuple[str, str]:
    """Return the match of a version's packets, whatever they go around."""
    return label(version), "ff:ff:ff:ff:00:00"


def version_of(mac: str) -> int:
    """Return the version in a label."""
    return int(mac[6:8] + mac[9:11], 16)


def next_version(version: int) -> int:
    """Return the version after; 0 means none."""
    return version % MAX_VERSION + 1


def group_number(version: int, index: int) -> int:
    """Return the number of a version's group or meter."""
    return version << 16 | index
