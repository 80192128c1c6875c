"""One direction of a netem span: its devices, and the commands that change its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from topologies.emulation.impairer import Counters
from topologies.emulation.netem.stages import PASSING, UNLIMITED, Words, words_of
from topologies.linkstate import ETHERNET_HEADER, LinkState

_SETTLE_NS = 5_000_000
"""In which a bucket that lets everything pass is empty, beside the frame it was waiting for."""


@dataclass
class Way:
    """One direction of a span: its stages, and the state they were given.

    ``number`` is that of its gate and size limit; ``queue``, ``rate`` and ``line`` are the network
    devices whose roots are those stages. ``duplicates`` says that there may have been some,
    ``changed`` how often the state was set, and ``seeding`` what seeds the line's draws.
    """

    number: int
    queue: str
    rate: str
    line: str
    state: LinkState
    duplicates: bool = False
    changed: int = 0
    seeding: str = ""

    @property
    def words(self) -> Words:
        """Return what is in force."""
        return words_of(self.state)

    def lines(self, words: Words, verb: str = "change") -> list[str]:
        """Return the commands that put words in force: all but RED's, the bucket's last."""
        return [
            f"actions {verb} action {words.gate} index {self.number}",
            f"actions {verb} action {words.size} index {self.number}",
            f"qdisc {verb} dev {self.rate} root handle 1: {words.rate}",
            f"qdisc {verb} dev {self.line} root handle 1: {words.line}{self.seeding}",
            f"qdisc {verb} dev {self.queue} root handle 1: {words.bucket}",
        ]

    def red_line(self, words: Words, verb: str = "change") -> str:
        """Return the command for RED."""
        return f"qdisc {verb} dev {self.queue} parent 1:1 handle 2: {words.red}"

    def changes(self, state: LinkState) -> tuple[list[str], int, list[str]]:
        """Return commands, how long to wait (ns), and more commands that put a state in force.

        RED throws away what it holds when it is changed. So the frames are let on into the rate
        first, which holds as many as come.
        """
        words, old = words_of(state), self.words
        red = self.red_line(words)
        if words.red == old.red and words.by_bytes == old.by_bytes:
            return [], 0, self.lines(words)
        if not old.by_bytes:
            return [], 0, [red, *self.lines(words)]
        loose = replace(
            words, bucket=PASSING, rate=f"netem limit {UNLIMITED} rate {state.rate_bps}bit"
        )
        frame_ns = (self.state.mtu + ETHERNET_HEADER) * 8 * 10**9 // self.state.rate_bps
        return self.lines(loose), frame_ns + _SETTLE_NS, [red, *self.lines(words)]

    def counters(self, shown: Mapping[str, Mapping[str, Any]]) -> Counters:
        """Return the counters, from what ``tc`` shows of each stage."""
        gate, size = shown["gate"]["stats"], shown["size"]["stats"]
        red, rate, line = shown["red"], shown["rate"], shown["line"]
        made = line["packets"] + line["qlen"] + line["drops"] - rate["packets"]
        return Counters(
            packets=gate["packets"],
            # Where frames enter, the kernel does not count the Ethernet header.
            bytes=gate["bytes"] + ETHERNET_HEADER * gate["packets"],
            delivered=line["packets"],
            delivered_bytes=line["bytes"],
            lost=line["drops"],
            duplicated=max(0, made) if self.duplicates else 0,
            queue_drops=red["pdrop"] + rate["drops"],
            early_drops=red["early"],
            queued_bytes=red["backlog"] + rate["backlog"],
            marked=red["marked"],
            down_drops=gate["drops"],
            oversize_drops=size["drops"],
        )
