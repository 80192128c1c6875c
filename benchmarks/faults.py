"""Faults that a verdict must catch, planted from outside into a run that knows nothing of them.

Run as a script, ``python -m benchmarks.faults run FILE ...`` is the command line with clocks that
somebody sets while training runs: the machine's own cannot be set for one process.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import time
from collections.abc import Callable
from itertools import count, permutations
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.planting import slow
from benchmarks.processes import busy_processors
from controller.configuration import FORWARD
from controller.wiring import Wiring
from experiments import cli
from topologies.emulation.claims import STATE
from topologies.emulation.ownership import marked_processes
from topologies.graph import Graph

PLANTED_S = 1.5
"""How long a slowed relay stands and goes by turns."""
SET_BACK_NS, AFTER_READINGS = 2_000_000_000, 12
_PIDFD_GETFD = 438


def hogs(run: str, conductor: int) -> None:
    """Keep every processor busy, at normal priority."""
    with busy_processors():
        time.sleep(2 * PLANTED_S)  # at least one look sees nothing else


def slowed_relay(run: str, conductor: int) -> None:
    """Let a span's relay stand for most of the time."""
    slow(_relay(run), PLANTED_S)


def wrong_rate(run: str, conductor: int) -> None:
    """Give a span half its rate for a while, then what it had, as its run gives it states."""
    with Connection(_borrowed(conductor, _relay(run))) as control:
        right = _told(control, None)
        wrong = [tuple(array.copy() for array in way) for way in right]
        for states, *_ in wrong:
            states["rate_bps"] //= 2
        _told(control, wrong)
        try:
            time.sleep(PLANTED_S)
        finally:
            _told(control, right)


def stolen_route(run: str, conductor: int) -> None:
    """Lead what a border switch sends over one span over another one for a while."""
    graph = Graph.from_json((STATE / run / "graph.json").read_text())
    switch, network, port = detour(graph)
    dpid = next(it.dpid for it in graph.switches if it.name == switch)
    rule = f"table={FORWARD},priority=60000,ip,nw_dst={network}"
    bridge = str(STATE / run / "ovs" / f"s{dpid}.mgmt")
    _ofctl("add-flow", bridge, f"{rule},actions=output:{port}")
    try:
        time.sleep(PLANTED_S)
    finally:
        _ofctl("--strict", "del-flows", bridge, rule)


def detour(graph: Graph) -> tuple[str, str, int]:
    """Return a switch, the network of a campus next to it, and its port to another campus."""
    wiring = Wiring(graph)
    for span, other in permutations(graph.spans.values(), 2):
        for end, port in ((other.a, other.a_port), (other.b, other.b_port)):
            if end == span.a:
                address, _ = wiring.networks[wiring.campus[span.b]]
                return end, f"{address}/16", port
    raise ValueError("no campus has two spans, between which a route could be stolen")


FAULTS: dict[str, Callable[[str, int], None]] = {
    "stolen route": stolen_route,
    "wrong rate": wrong_rate,
    "slowed relay": slowed_relay,
    "busy processors": hogs,
}
"""What plants each, given the run and the process that conducts it."""
CAUGHT_BY = {
    "stolen route": "rules changed by others",
    "wrong rate": "not as it was set",
    "slowed relay": "lateness in a second",
    "busy processors": "processors taken by others in a second",
    "clock set": "clock jump",
}
"""The check that must fail."""
CLOCK_SET = "clock set"


def _relay(run: str) -> int:
    """Return the process of a run's first relay."""
    names = {pid: Path(f"/proc/{pid}/comm").read_text() for pid in marked_processes(run)}
    return min(pid for pid, name in names.items() if name.startswith("relay "))


def _told(control: Connection, states: Any) -> Any:
    """Ask a relay, between two questions of its run, and return the states in force."""
    control.send(states)
    return control.recv()["states"]


def _borrowed(conductor: int, relay: int) -> int:
    """Return a descriptor of our own for the socket by which a run commands a relay."""
    inside = ["nsenter", f"--net=/proc/{relay}/ns/net", "ss", "-xan"]  # sees its own sockets only
    shown = subprocess.run(inside, check=True, capture_output=True, text=True).stdout
    pairs = re.findall(r"\* +(\d+) +\* +(\d+)", shown)
    near, far = _sockets(conductor), _sockets(relay)
    (number,) = {near[one] for one, other in pairs if one in near and other in far}
    process = os.pidfd_open(conductor)
    try:
        borrowed = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, process, number, 0)
    finally:
        os.close(process)
    assert borrowed >= 0, os.strerror(ctypes.get_errno())
    return int(borrowed)


def _sockets(pid: int) -> dict[str, int]:
    """Return the descriptors of a process that are sockets, by inode."""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        if inode := re.match(r"socket:\[(\d+)\]", str(entry.readlink())):
            found[inode[1]] = int(entry.name)
    return found


def _ofctl(*words: str) -> str:
    command = ["ovs-ofctl", "-O", "OpenFlow13", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Be the command line, on a machine whose time of day is set back while training runs."""
    asked, read = count(), time.clock_gettime_ns

    def set_back(clock: int) -> int:
        moved_ns = clock == time.CLOCK_REALTIME and next(asked) >= AFTER_READINGS
        return read(clock) - SET_BACK_NS * moved_ns

    time.clock_gettime_ns = set_back
    cli.main()


if __name__ == "__main__":
    main()
