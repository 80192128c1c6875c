"""Sends test packets and TCP between the probers of several spans at once."""

from __future__ import annotations

import contextlib
import json
import math
import re
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from experiments.arrivals import Flow
from topologies.emulation.errors import EmulationError
from topologies.emulation.lab import Lab
from topologies.interpreter import PYTHON

DEADLINE_S = 60.0
TCP_WARM_UP_S = 1
"""Left out of the goodput: TCP opens its window."""
TCP_BLOCK = "8K"
"""What iperf3 reads and counts at once; its usual 128 kB are a tenth of a second of a slow span."""
IPERF_PORT = 5201
_INTERVAL = re.compile(r"([0-9.]+)-([0-9.]+) +sec .*? ([0-9.]+) Kbits/sec(.*)")
_SESSION = [*PYTHON, "-m", "topologies.emulation.stamp_session"]


@dataclass(frozen=True)
class Session:
    """Test packets over one span, from its first end to its second or back.

    Attributes:
        reflected: whether the far end answers each.
        payload_bytes: of a UDP datagram, its STAMP packet padded.
        head: packets sent at once, before the others are sent ``gap_ns`` apart.
        linger_ns: how long to wait for what is under way after the last was sent.
    """

    span: str
    backward: bool
    reflected: bool
    count: int
    payload_bytes: int
    gap_ns: int
    head: int
    linger_ns: int


@dataclass(frozen=True)
class Heard:
    """What both ends of a session received: packets there, reflected ones, round trips in ns."""

    there: Flow
    back: Flow
    round_trips: tuple[int, ...]


def run_sessions(lab: Lab, sessions: Sequence[Session]) -> list[Heard]:
    """Run sessions at the same time; raises EmulationError when a prober fails."""
    with ExitStack() as stack:
        far_ends, near_ends = [], []
        for session in sessions:
            near, far = _ends(lab, session.span, session.backward)
            mode = "reflect" if session.reflected else "listen"
            listen = [*_SESSION, mode, far.ip]
            process = lab.popen(far.name, listen, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            far_ends.append(stack.enter_context(process))
            stack.callback(process.kill)
        for process in far_ends:
            assert process.stdout is not None, "opened as a pipe"
            if process.stdout.readline().strip() != "ready":
                raise EmulationError("a prober did not start")
        for session in sessions:
            near, far = _ends(lab, session.span, session.backward)
            numbers = [session.count, session.payload_bytes, session.gap_ns]
            numbers += [session.head, session.linger_ns]
            send = [*_SESSION, "send", near.ip, far.ip, *map(str, numbers)]
            process = lab.popen(near.name, send, stdout=subprocess.PIPE)
            near_ends.append(stack.enter_context(process))
            stack.callback(process.kill)
        senders = [_answer(process) for process in near_ends]
        # The end of its input ends a far end.
        receivers = [_answer(process) for process in far_ends]
    return [
        Heard(
            Flow(near["sent"], tuple(map(tuple, far["arrivals"]))),
            Flow(far["sent"], tuple(map(tuple, near["arrivals"]))),
            tuple(near["round_trips"]),
        )
        for near, far in zip(senders, receivers, strict=True)
    ]


def run_tcp(lab: Lab, spans: Sequence[str], backward: bool, seconds: float) -> list[float | None]:
    """Return the goodput (bit/s) of TCP over each span at the same time, by iperf3.

    None where no connection came about.
    """
    with ExitStack() as stack:
        servers, clients = [], []
        for span in spans:
            _, far = _ends(lab, span, backward)
            options = ["--forceflush", "-i", "0.5", "-f", "k", "-B", far.ip, "-p", str(IPERF_PORT)]
            serve = ["iperf3", "-s", "-1", *options]
            server = lab.popen(far.name, serve, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            servers.append(stack.enter_context(server))
            stack.callback(server.kill)
        for server in servers:
            assert server.stdout is not None, "opened as a pipe"
            if not any("listening" in line for line in server.stdout):
                raise EmulationError("iperf3 did not start")
        for span in spans:
            near, far = _ends(lab, span, backward)
            options = ["-l", TCP_BLOCK, "-t", str(math.ceil(TCP_WARM_UP_S + seconds))]
            call = ["iperf3", "-c", far.ip, "-B", near.ip, "-p", str(IPERF_PORT), *options]
            client = lab.popen(
                near.name, call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            clients.append(stack.enter_context(client))
            stack.callback(client.kill)
        for client in clients:
            with contextlib.suppress(subprocess.TimeoutExpired):
                client.wait(timeout=DEADLINE_S)
        outputs = []
        for server in servers:
            server.terminate()  # one that nobody has reached would wait for ever
            outputs.append(server.communicate(timeout=DEADLINE_S)[0])
    return [goodput_of(output) for output in outputs]


def goodput_of(output: str) -> float | None:
    """Read what an iperf3 server says of its intervals (kbit/s), as received and when.

    Its summary would also count what stood in the span's queue when the sender stopped.
    """
    intervals = [
        (float(end) - float(begin), float(kbit) * 1000)
        for begin, end, kbit, rest in re.findall(_INTERVAL, output)
        if "receiver" not in rest and float(begin) >= TCP_WARM_UP_S
    ]
    seconds = sum(length for length, _ in intervals)
    return sum(length * bps for length, bps in intervals) / seconds if seconds else None


def _ends(lab: Lab, span: str, backward: bool) -> Any:
    near, far = lab.graph.probers(span)
    return (far, near) if backward else (near, far)


def _answer(process: subprocess.Popen[str]) -> Any:
    try:
        output, _ = process.communicate(timeout=DEADLINE_S)
        return json.loads(output)
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        raise EmulationError("a prober did not end well") from None
