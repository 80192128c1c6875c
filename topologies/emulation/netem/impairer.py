"""Cables of veth pairs whose frames the kernel's queues hold back, lose and change."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

from topologies.emulation.carrier import Carrier
from topologies.emulation.claims import STATE
from topologies.emulation.errors import ImpairmentError
from topologies.emulation.impairer import Counters
from topologies.emulation.netem.stages import (
    difference,
    table_name,
    table_text,
    unable,
)
from topologies.emulation.netem.tc import Tc
from topologies.emulation.netem.way import Way
from topologies.emulation.ownership import MARK
from topologies.emulation.replay import Replay
from topologies.linkstate import ETHERNET_HEADER, Duplex, LinkState

_CARRIER_TIMEOUT_S = 10.0


class NetemImpairer:
    """Spans by the kernel's queues (see `Impairer`).

    The cable of span 0 is ``span0a`` and ``span0b``, each with its peer (``span0a0``, ``span0b0``);
    between those lie two more pairs, so that each direction passes three devices with a queue:

        span0a > span0a0 gate, size | span0a1 queue > span0b1 | span0a2 rate > span0b2 |
        span0b0 line > span0b

    A change takes effect stage by stage within a millisecond; both directions change one after the
    other. Carrier goes as the gates shut, and comes when all is in force; no device goes down, so
    that what is under way arrives. netem restarts a Gilbert-Elliott channel in its good state with
    every change. What the kernel does not tell stays 0 in the counters: corrupted frames and the
    deepest queue. Duplicates are reckoned from what entered and left the line, exactly while
    nothing passes.
    """

    name = "netem"
    tells_drops_apart = True

    @staticmethod
    def unable(state: LinkState) -> str | None:
        """See `Impairer.unable`."""
        return unable(state)

    def __init__(self, spans: Iterable[str], mtu: int, seed: int) -> None:
        """Make the cables, down until `apply`.

        Where kernel and ``tc`` are 6.6 or newer ``seed`` decides netem's draws; with older ones
        nothing can, and every run draws its own.
        """
        self._replays: dict[str, Replay[Duplex]] = {}
        self._changing = threading.Lock()  # a replay's thread may be in the middle of a change
        self._deviations: dict[str, str] = {}
        spans = list(spans)
        self._ways = {span: _ways(index, mtu) for index, span in enumerate(spans)}
        with ExitStack() as stack:
            # In the run's own folder, if there is a run: should it be killed, that is removed.
            above = STATE / os.environ[MARK] if MARK in os.environ else None
            folder = tempfile.TemporaryDirectory(prefix="netem-", dir=above)
            self._tables = Path(stack.enter_context(folder))
            stack.callback(_remove, len(spans))
            _make(self._ways, mtu)
            _await_carrier([device for ends in self.cables.values() for device in ends])
            self._carriers = {span: Carrier(ends) for span, ends in self.cables.items()}
            for carrier in self._carriers.values():
                stack.callback(carrier.close)
                carrier.put(False)
            self._tc = Tc(self._tables)
            stack.callback(self._tc.close)
            self._seed = seed if self._seedable() else None
            self._open = stack.pop_all()

    @property
    def cables(self) -> Mapping[str, tuple[str, str]]:
        """By span, the two veth devices at its ends."""
        return {span: _ends(index) for index, span in enumerate(self._ways)}

    def reseed(self, seed: int) -> None:
        """See `Impairer.reseed`; does nothing where the kernel takes no seed."""
        if self._seed is not None:
            self._seed = seed
            for way in (way for ways in self._ways.values() for way in ways):
                way.changed = 0

    def apply(self, span: str, duplex: Duplex) -> None:
        """See `Impairer.apply`."""
        self._end_replay(span)
        self._admit(duplex)
        self._put(span, duplex)

    def replay(self, span: str, trace: Sequence[tuple[int, Duplex]], begin_ns: int) -> None:
        """See `Impairer.replay`: a thread applies each state, a millisecond late or so.

        What failed on the way is raised by the next `apply`, `replay`, `counters` or `close`.
        """
        self._end_replay(span)
        for _, duplex in trace:
            self._admit(duplex)
        self._replays[span] = Replay(lambda duplex: self._put(span, duplex), trace, begin_ns)

    def counters(self) -> dict[str, tuple[Counters, Counters]]:
        """See `Impairer.counters`."""
        for replay in self._replays.values():
            replay.check()
        read = {}
        self._deviations.clear()
        for span, ways in self._ways.items():
            read_ns = time.monotonic_ns()
            with self._changing:
                stages = [self._stages(way) for way in ways]
                found = [
                    difference(it.state, shown) for it, shown in zip(ways, stages, strict=True)
                ]
            counted = (it.counters(shown) for it, shown in zip(ways, stages, strict=True))
            forward, backward = (replace(it, read_ns=read_ns) for it in counted)
            read[span] = (forward, backward)
            if differing := "; ".join(text for text in found if text):
                self._deviations[span] = differing
        return read

    def clocks(self) -> dict[str, Callable[[], int]]:
        """See `Impairer.clocks`: it is this process that reads the kernel's counters."""
        return {}

    def processes(self) -> dict[str, int]:
        """See `Impairer.processes`."""
        return {}

    def deviations(self) -> dict[str, str]:
        """See `Impairer.deviations`."""
        return dict(self._deviations)

    def close(self) -> None:
        """See `Impairer.close`."""
        with self._open:
            for span in list(self._replays):
                self._end_replay(span)

    def _end_replay(self, span: str) -> None:
        if replay := self._replays.pop(span, None):
            replay.end()

    def _admit(self, duplex: Duplex) -> None:
        """Refuse what netem cannot do; write the tables of jitter that ``tc`` will read."""
        for state in duplex.ways:
            if reason := unable(state):
                raise ImpairmentError(reason)
            if state.jitter:
                table = self._tables / f"{table_name(state.jitter)}.dist"
                if not table.exists():
                    table.write_text(table_text(state.jitter))

    def _put(self, span: str, duplex: Duplex) -> None:
        """Put both directions in force, then read them back."""
        with self._changing:
            self._put_alone(span, duplex)

    def _put_alone(self, span: str, duplex: Duplex) -> None:
        pairs = list(zip(self._ways[span], duplex.ways, strict=True))
        for way, _ in pairs:
            way.changed += 1
            if self._seed is not None:
                drawn = crc32(f"{self._seed} {span} {way.number} {way.changed}".encode())
                way.seeding = f" seed {drawn}"
        before, waits_ns, after = zip(*(way.changes(state) for way, state in pairs), strict=True)
        self._tc.tell([line for lines in before for line in lines])
        time.sleep(max(waits_ns) / 1e9)
        self._tc.tell([line for lines in after for line in lines])
        up, carrier = duplex.forward.up and duplex.backward.up, self._carriers[span]
        if not up:
            carrier.put(False)
        for way, state in pairs:
            resized = way.state.mtu != state.mtu
            way.state = state
            way.duplicates |= state.duplicate > 0
            fault = difference(state, self._stages(way))
            if resized and not fault:
                fault = self._size_difference(way)
            if fault:
                raise ImpairmentError(f"span {span}, {way.line}: {fault}")
        if up:
            carrier.put(True)  # last, so that whoever comes back to the span finds it open

    def _stages(self, way: Way) -> dict[str, dict[str, Any]]:
        """Return what ``tc`` shows of each stage of a direction."""
        gate, size, queue, rate, line = self._tc.ask(
            f"actions get action gact index {way.number}",
            f"actions get action police index {way.number}",
            *(f"qdisc show dev {device}" for device in (way.queue, way.rate, way.line)),
        )
        # The device of the rate has a clsact besides, for the frames of the other direction.
        kinds = {part["kind"]: part for part in queue}
        roots = [next(p for p in parts if p["kind"] == "netem") for parts in (rate, line)]
        return {
            "gate": _actions(gate)[0],
            "size": _actions(size)[0],
            "bucket": kinds["tbf"],
            "red": kinds["red"],
            "rate": roots[0],
            "line": roots[1],
        }

    def _size_difference(self, way: Way) -> str | None:
        """Compare the largest frame with what is in force, which ``tc`` prints as text only."""
        text = _run("tc", "actions", "get", "action", "police", "index", str(way.number))
        found = re.search(r" mtu (\d+)(K?)b ", text)
        in_force = int(found[1]) * (1024 if found[2] else 1) if found else 0
        # It rounds to KiB what is within 16 B of one.
        frame = way.state.mtu + ETHERNET_HEADER
        if abs(in_force - frame) > (16 if found and found[2] else 0):
            return f"frames up to {frame} B were asked for, up to {in_force} B are in force"
        return None

    def _seedable(self) -> bool:
        """Return whether netem takes a seed, tried on a span that is still down."""
        for ways in self._ways.values():
            device = ways[0].line
            change = ["tc", "qdisc", "change", "dev", device, "root", "handle", "1:", "netem"]
            done = subprocess.run([*change, "seed", "1"], check=False, capture_output=True)
            (shown,) = self._tc.ask(f"qdisc show dev {device}")
            return done.returncode == 0 and "seed" in shown[0]["options"]
        return False


def _ends(index: int) -> tuple[str, str]:
    return f"span{index}a", f"span{index}b"


def _ways(index: int, mtu: int) -> tuple[Way, Way]:
    """Return both directions of a span, down."""
    a, b = _ends(index)
    down = LinkState(rate_bps=10**9, delay_ns=0, mtu=mtu, up=False)
    return (
        Way(2 * index + 1, queue=f"{a}1", rate=f"{a}2", line=f"{b}0", state=down),
        Way(2 * index + 2, queue=f"{b}1", rate=f"{b}2", line=f"{a}0", state=down),
    )


def _make(spans: Mapping[str, tuple[Way, Way]], mtu: int) -> None:
    """Make the devices, give them their queues, and lead the frames from one to the next."""
    links, queues = [], []
    for index, ways in enumerate(spans.values()):
        a, b = _ends(index)
        for one, other in ((a, f"{a}0"), (b, f"{b}0"), (f"{a}1", f"{b}1"), (f"{a}2", f"{b}2")):
            links.append(f"link add {one} type veth peer name {other}")
            links += [f"link set {device} mtu {mtu} up" for device in (one, other)]
        for device in (f"{end}{place}" for end in (a, b) for place in (0, 1, 2)):
            queues.append(f"qdisc add dev {device} clsact")
        for way, (near, far) in zip(ways, ((a, b), (b, a)), strict=True):
            words = way.words
            queues += [*way.lines(words, "add"), way.red_line(words, "add")]
            gate = f"action gact index {way.number} action police index {way.number}"
            for source, action, sink in (
                (f"{near}0", gate, way.queue),
                (f"{far}1", "", way.rate),
                (f"{far}2", "", way.line),
            ):
                queues.append(
                    f"filter add dev {source} ingress matchall {action} "
                    f"action mirred egress redirect dev {sink}"
                )
    _run("ip", "-batch", "-", lines=links)
    _run("tc", "-batch", "-", lines=queues)


def _await_carrier(devices: Iterable[str]) -> None:
    """Wait until the kernel has found that new devices have carrier: it would undo what we set."""
    deadline = time.monotonic() + _CARRIER_TIMEOUT_S
    while True:
        shown = {link["ifname"]: link["operstate"] for link in json.loads(_run("ip", "-j", "link"))}
        without = [device for device in devices if shown.get(device) != "UP"]
        if not without:
            return
        if time.monotonic() > deadline:
            raise ImpairmentError(f"no carrier at {', '.join(without)}")
        time.sleep(0.005)


def _remove(spans: int) -> None:
    """Remove the devices of so many spans; those that were not made are passed over."""
    devices = [f"{end}{place}" for n in range(spans) for end in _ends(n) for place in ("", 1, 2)]
    subprocess.run(
        ["ip", "-force", "-batch", "-"],
        input="".join(f"link del {device}\n" for device in devices),
        check=False,
        capture_output=True,
        text=True,
    )


def _actions(answer: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the actions that ``tc`` lists among their counts."""
    return [action for part in answer for action in part.get("actions", [])]


def _run(*command: str, lines: Sequence[str] = ()) -> str:
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(command, input=text, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ImpairmentError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
