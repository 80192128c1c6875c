"""The C programs of the benchmarks, compiled when they are needed: no part of the product."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from topologies.emulation.priority import PROBER


@dataclass(frozen=True)
class Flood:
    """What one direction of a flood found; the rate is of steady state, in bit/s on the wire.

    The rate is the median of ten stretches, so that a moment in which the generator did not run
    does not count. ``missing`` frames vanished on the way; ``refused`` counts how often the device
    was full.
    """

    rate_bps: float
    received: int
    missing: int
    refused: int


_compiled: dict[str, Path] = {}


def use(binary: Path) -> None:
    """Take a program that was compiled before."""
    _compiled[binary.name] = binary


def program(name: str) -> Path:
    """Compile one of this folder's sources; raises CalledProcessError where gcc cannot."""
    if name in _compiled:
        return _compiled[name]
    binary = Path(_folder().name) / name
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run(["gcc", "-O2", "-Wall", "-o", binary, source], check=True)
    _compiled[name] = binary
    return binary


@cache
def _folder() -> TemporaryDirectory[str]:
    """Return where programs lie; it goes with this process."""
    return TemporaryDirectory(prefix="spanlab-benchmarks-")


@contextmanager
def pump(first: str, second: str, mtu: int) -> Iterator[int]:
    """Join two new TAP devices by the plain C pump; yields its process id."""
    command = [str(program("pump")), first, second]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None and process.stdout is not None, "opened as pipes"
        try:
            if process.stdout.readline().strip() != "ready":
                raise RuntimeError("the pump did not start")
            for device in (first, second):
                subprocess.run(["ip", "link", "set", device, "mtu", str(mtu), "up"], check=True)
            yield process.pid
        finally:
            process.stdin.close()


def flood(
    pairs: Sequence[tuple[str, str]], frame_bytes: int, window: int, seconds: float, warm_s: float
) -> list[Flood]:
    """Keep ``window`` frames under way from the first device of each pair to its second.

    What arrives in the first ``warm_s`` seconds does not count towards the rate. Runs at the
    priority of the product's own prober: before ordinary processes, after what carries frames.
    """
    numbers = [frame_bytes, window, seconds, warm_s, PROBER]
    output = _traffic("flood", *map(str, numbers), *(name for pair in pairs for name in pair))
    found = []
    for line in output.splitlines():
        _, received, missing, refused, *marks = map(int, line.split())
        stretches = pairwise(zip(marks[::2], marks[1::2], strict=True))
        rates = [
            (then - frames) * frame_bytes * 8e9 / (end_ns - begin_ns)
            for (frames, begin_ns), (then, end_ns) in stretches
            if then > frames
        ]
        found.append(Flood(median(rates) if rates else 0.0, received, missing, refused))
    return found


def probe(
    pairs: Sequence[tuple[str, str]], frame_bytes: int, count: int, gap_ns: int, priority: int
) -> list[list[tuple[int, int]]]:
    """Send ``count`` frames through every pair, ``gap_ns`` apart.

    Returns ``(sequence, delay_ns)`` of each frame that arrived, by pair. ``priority`` is the
    prober's under SCHED_FIFO, 0 for none.
    """
    numbers = [frame_bytes, count, gap_ns, priority]
    output = _traffic("probe", *map(str, numbers), *(name for pair in pairs for name in pair))
    delays: list[list[tuple[int, int]]] = [[] for _ in pairs]
    for line in output.splitlines():
        pair, sequence, delay_ns = map(int, line.split())
        delays[pair].append((sequence, delay_ns))
    return delays


def _traffic(*arguments: str) -> str:
    command = [str(program("traffic")), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
