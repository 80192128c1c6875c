"""A span that goes down and up again and again, and when the switches at its ends tell of it."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from tests.conformance.cases import MS, PLAIN
from topologies.emulation.impairer import Impairer
from topologies.graph import Graph
from topologies.linkstate import Duplex

_DARK, _LIT = replace(PLAIN, up=False), Duplex.both(PLAIN)
STATES = (Duplex(_DARK, PLAIN), _LIT, Duplex(PLAIN, _DARK), _LIT, Duplex.both(_DARK), _LIT) * 2
"""Either direction takes light from both ends."""
STEP_NS = 100 * MS
_LISTENING_S = 10.0
_TOLD = re.compile(r"^(\S+ \S+): OFPT_PORT_STATUS .* MOD: (\d+)\(.*\n.*\n +state: +(.+)$", re.M)


def flickered(impairer: Impairer, graph: Graph, span: str) -> dict[str, Any]:
    """Go through `STATES` by apply and by replay; return when, and what each end told.

    All are lists of ``[nanoseconds, whether the span is up]``.
    """
    with _listened_to(graph, span) as ends:
        deadline = time.monotonic() + _LISTENING_S
        while not all(end.told() for end in ends):
            assert time.monotonic() < deadline, "a switch does not tell"
            for state in (STATES[0], _LIT):
                impairer.apply(span, state)
                time.sleep(STEP_NS / 1e9)
        before = [len(end.told()) for end in ends]
        asked: list[tuple[int, bool]] = []
        for state in STATES:
            time.sleep(STEP_NS / 1e9)
            asked.append((time.time_ns(), state.worse.up))
            impairer.apply(span, state)

        begin_ns = time.monotonic_ns() + STEP_NS
        trace = [(place * STEP_NS, state) for place, state in enumerate((_LIT, *STATES))]
        impairer.replay(span, trace, begin_ns)
        offset_ns = min(time.time_ns() - time.monotonic_ns() for _ in range(5))
        asked += [(begin_ns + at + offset_ns, state.worse.up) for at, state in trace[1:]]
        time.sleep((trace[-1][0] + 3 * STEP_NS) / 1e9)
        impairer.counters()  # raises what went wrong
        told = [end.told()[count:] for end, count in zip(ends, before, strict=True)]
    return {"asked": asked, "told": told}


class _End:
    """What a switch tells controllers of the port that a span is plugged into."""

    def __init__(self, bridge: str, port: int) -> None:
        self._port, self._text = port, ""
        # Whoever asks for packets (their first 64 bytes) hears of ports too.
        command = ["ovs-ofctl", "-O", "OpenFlow13", "--timestamp", "monitor", bridge, "64"]
        self.listener = subprocess.Popen(
            command, stderr=subprocess.PIPE, bufsize=0, env={**os.environ, "TZ": "UTC"}
        )
        assert self.listener.stderr is not None, "opened as a pipe"
        os.set_blocking(self.listener.stderr.fileno(), False)

    def told(self) -> list[tuple[int, bool]]:
        """Return everything told so far, its moments as they are printed: in whole milliseconds."""
        assert self.listener.stderr is not None, "opened as a pipe"
        while said := self.listener.stderr.read(1 << 16):
            self._text += said.decode()
        found = []
        for at, port, state in _TOLD.findall(self._text):
            if int(port) == self._port and state != "0":  # no longer live, its link not yet down
                moment = datetime.fromisoformat(at).replace(tzinfo=timezone.utc)
                found.append((round(moment.timestamp() * 1000) * MS, "LINK_DOWN" not in state))
        return found

    def close(self) -> None:
        assert self.listener.stderr is not None, "opened as a pipe"
        self.listener.terminate()
        self.listener.wait()
        self.listener.stderr.close()


@contextmanager
def _listened_to(graph: Graph, span: str) -> Iterator[list[_End]]:
    link, numbers = graph.spans[span], {switch.name: switch.dpid for switch in graph.switches}
    ports = ((link.a, link.a_port), (link.b, link.b_port))
    ends = [_End(f"s{numbers[switch]}", port) for switch, port in ports]
    try:
        yield ends
    finally:
        for end in ends:
            end.close()
