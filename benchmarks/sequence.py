"""A flow of numbered datagrams: what arrives of it says what a change of the network cost."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from topologies.emulation.lab import Lab

INTERVAL_S = 0.001
SETTLE_S = 0.5
_PORT = 4321
_SENDER = """
import os, socket, struct, sys, time
address, interval = sys.argv[1], int(float(sys.argv[2]) * 1e9)
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(3))
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
due = time.monotonic_ns()
number = 0
while True:
    out.sendto(struct.pack("!Qq", number, time.monotonic_ns()), (address, int(sys.argv[3])))
    number += 1
    due += interval
    time.sleep(max(0, due - time.monotonic_ns()) / 1e9)
"""
_RECEIVER = """
import os, signal, socket, struct, sys, time
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(3))
heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
heard.bind(("", int(sys.argv[1])))
heard.settimeout(0.5)
print("ready", flush=True)
found, told = [], []
signal.signal(signal.SIGTERM, lambda *_: told.append(True))
while not told:
    try:
        found.append((*struct.unpack("!Qq", heard.recv(64)), time.monotonic_ns()))
    except TimeoutError:
        pass
for numbers in found:
    print(*numbers)
"""


@dataclass
class Sequence:
    """What came of a flow.

    Attributes:
        sent_ns: by number, when each that arrived was sent.
        arrived_ns: by number, when.
    """

    sent_ns: dict[int, int] = field(default_factory=dict)
    arrived_ns: dict[int, int] = field(default_factory=dict)

    def lost(self, begin_ns: int, end_ns: int) -> int:
        """Return how many that were sent in a time did not arrive."""
        inside = [number for number, at in self.sent_ns.items() if begin_ns <= at < end_ns]
        return max(inside) - min(inside) + 1 - len(inside) if inside else 0

    def longest_gap_ns(self, begin_ns: int, end_ns: int) -> int:
        """Return the longest time in which nothing arrived."""
        times = sorted(at for at in self.arrived_ns.values() if begin_ns <= at < end_ns)
        return max((b - a for a, b in pairwise(times)), default=0)


@contextmanager
def sequence(lab: Lab, source: str, target: str) -> Iterator[Sequence]:
    """Send numbered datagrams from one host to another while inside; fill in what arrived after."""
    address = next(host.ip for host in lab.graph.hosts if host.name == target)
    pipes = {"stdout": subprocess.PIPE}
    receiver = lab.popen(target, [sys.executable, "-I", "-c", _RECEIVER, str(_PORT)], **pipes)
    assert receiver.stdout is not None, "opened as a pipe"
    receiver.stdout.readline()
    words = [address, str(INTERVAL_S), str(_PORT)]
    sender = lab.popen(source, [sys.executable, "-I", "-c", _SENDER, *words])
    found = Sequence()
    try:
        yield found
    finally:
        sender.kill()
        sender.wait()
        time.sleep(SETTLE_S)
        receiver.terminate()
        text, _ = receiver.communicate()
    for line in text.splitlines():
        number, sent_ns, arrived_ns = map(int, line.split())
        found.sent_ns[number], found.arrived_ns[number] = sent_ns, arrived_ns
