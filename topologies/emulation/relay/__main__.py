"""The relays of all spans: a process each, forked from one that has the compiled code loaded.

Started by `impairer.RelayImpairer` with a JSON job on the command line. Each relay moves frames
between two TAP devices, takes requests over its control socket and exits when that closes.
Without a job it only compiles what a later start will load.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from topologies.emulation.errors import ImpairmentError
from topologies.emulation.priority import RELAY, take
from topologies.emulation.relay.compiled import resolved
from topologies.emulation.relay.engine import POLL, READABLE, Direction, new_direction, pump
from topologies.emulation.relay.light import Light
from topologies.emulation.relay.queue import queued_bytes
from topologies.emulation.relay.records import reseed


def relay(descriptors: list[int], devices: list[str], seed: list[int], mtu: int) -> None:
    """Run one span's relay, between two devices, until its control socket closes.

    ``descriptors`` are those of the devices and of the socket, ``devices`` the names of those that
    have carrier to lose.
    """
    first, second, control = descriptors
    take(RELAY)
    light = Light(devices)
    for descriptor in (first, second):
        os.set_blocking(descriptor, False)
    directions = [
        new_direction(first, second, [*seed, 0], mtu),
        new_direction(second, first, [*seed, 1], mtu),
    ]
    polls = np.array([(number, READABLE, 0) for number in (first, second, control)], POLL)
    timespec = np.zeros(2, np.int64)
    move = resolved(pump)
    gc.disable()  # no cycles are made, and a collection would make frames late
    with Connection(control) as connection:
        while True:
            move(directions[0], directions[1], polls, timespec)
            if not connection.poll():
                return  # a device is gone
            try:
                directions, fault = obey(connection.recv(), directions, light)
                connection.send({**report(directions), "fault": fault})
            except (EOFError, ConnectionError):
                return  # the run has ended


def obey(asked: Any, directions: list[Direction], light: Light) -> tuple[list[Direction], str]:
    """Put directions into new states, or their draws back to the start, as is asked, if anything.

    Add what went wrong, if anything.
    """
    try:
        if isinstance(asked, dict):
            for number, direction in enumerate(directions):
                reseed(direction.line, [*asked["seed"], number])
        elif asked is not None:
            light.end()
            directions = [*map(put, directions, asked)]
            light.follow(*(direction.line.states for direction in directions))
        light.check()
    except ImpairmentError as error:
        return directions, str(error)
    return directions, ""


def report(directions: list[Direction]) -> dict[str, Any]:
    """Return what a relay tells of itself: its states, what has happened, its priority."""
    return {
        "states": [direction.line[:3] for direction in directions],
        "counters": [counters_of(direction) for direction in directions],
        "now_ns": time.monotonic_ns(),
        "pid": os.getpid(),
        "realtime": os.sched_getscheduler(0) == os.SCHED_FIFO,
    }


def put(direction: Direction, arrays: tuple[Any, Any, Any]) -> Direction:
    """Put a direction into new states; what is under way stays as it is."""
    states, jitters, patterns = (array.copy() for array in arrays)  # of the types compiled for
    line = direction.line._replace(states=states, jitters=jitters, patterns=patterns)
    line.progress[0]["state"] = line.progress[0]["place"] = 0
    return direction._replace(line=line)


def counters_of(direction: Direction) -> dict[str, Any]:
    """Return what has happened as the fields of `Counters`."""
    counts, now_ns = direction.line.counts, time.monotonic_ns()
    found = {name: counts[name][0].tolist() for name in counts.dtype.names}
    return found | {"queued_bytes": queued_bytes(direction.line, now_ns), "read_ns": now_ns}


def load() -> None:
    """Compile the pump, or load what was compiled, by running it once on nothing."""
    ours, theirs = os.pipe()
    os.write(theirs, b".")
    null = os.open(os.devnull, os.O_RDWR)
    nothing = [new_direction(null, null, [0], mtu=64) for _ in range(2)]
    polls = np.array([(-1, 0, 0), (-1, 0, 0), (ours, READABLE, 0)], POLL)
    pump(nothing[0], nothing[1], polls, np.zeros(2, np.int64))
    for descriptor in (ours, theirs, null):
        os.close(descriptor)


def main() -> None:
    """Load the code and fork the relays that the job names, then wait for their end."""
    load()
    if len(sys.argv) == 1:
        return
    job = json.loads(sys.argv[1])
    for span in job["spans"]:
        if os.fork() == 0:
            Path("/proc/self/comm").write_text(f"relay {span['name']}"[:15])
            for other in job["spans"]:
                if other is not span:
                    for descriptor in other["descriptors"]:
                        os.close(descriptor)
            relay(span["descriptors"], span["devices"], span["seed"], job["mtu"])
            os._exit(0)
    # A device goes when the last process that holds it does.
    for span in job["spans"]:
        for descriptor in span["descriptors"]:
            os.close(descriptor)
    for _ in job["spans"]:
        os.wait()


if __name__ == "__main__":
    main()
