"""Starts, commands and ends the relay processes of all spans."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from multiprocessing.connection import Connection
from typing import Any
from zlib import crc32

from topologies.emulation.carrier import Carrier
from topologies.emulation.errors import ImpairmentError, MachineError
from topologies.emulation.impairer import Counters
from topologies.emulation.relay.records import difference, state_arrays
from topologies.interpreter import PYTHON
from topologies.linkstate import Duplex, LinkState

_TUNSETIFF = 0x400454CA
_IFF_TAP_NO_PI = 0x0002 | 0x1000
_ANSWER_TIMEOUT_S = 5.0
_LOAD_TIMEOUT_S = 120.0
"""The first answer may wait for the relay's code to be compiled, once on a machine."""


class RelayImpairer:
    """User-space relays: work on every machine that has TAP devices (see `Impairer`)."""

    name = "relay"
    tells_drops_apart = True

    @staticmethod
    def unable(state: LinkState) -> str | None:
        """See `Impairer.unable`: the relay does all of a link state."""
        return None

    def __init__(self, spans: Iterable[str], mtu: int, seed: int) -> None:
        """Make a cable and a process per span, down until `apply`.

        Raises MachineError where TAP devices cannot be made.
        """
        self._relays: dict[str, _Relay] = {}
        self._processes: subprocess.Popen[bytes] | None = None
        jobs: list[dict[str, Any]] = []
        handed_over: list[int] = []
        try:
            for index, span in enumerate(spans):
                devices = (f"span{index}a", f"span{index}b")
                ours, theirs = socket.socketpair()
                self._relays[span] = _Relay(span, devices, Connection(ours.detach()))
                handed_over.append(theirs.detach())
                handed_over += (taps := [_open_tap(device, mtu) for device in devices])
                seeds = _seeds(seed, span)
                descriptors = [*taps, handed_over[-3]]
                jobs.append(
                    {"name": span, "devices": devices, "descriptors": descriptors, "seed": seeds}
                )
            job = json.dumps({"spans": jobs, "mtu": mtu})
            if jobs:  # without one there is nothing that would tell it to end
                self._processes = subprocess.Popen(
                    [*PYTHON, "-m", "topologies.emulation.relay", job],
                    pass_fds=handed_over,
                    start_new_session=True,
                )
        finally:
            for descriptor in handed_over:
                os.close(descriptor)

    @property
    def cables(self) -> Mapping[str, tuple[str, str]]:
        """By span, its two TAP devices."""
        return {span: relay.devices for span, relay in self._relays.items()}

    @property
    def realtime(self) -> bool:
        """Whether every relay runs at real-time priority."""
        return all(relay.ask()["realtime"] for relay in self._relays.values())

    def reseed(self, seed: int) -> None:
        """See `Impairer.reseed`."""
        for span, relay in self._relays.items():
            relay.ask({"seed": _seeds(seed, span)})

    def apply(self, span: str, duplex: Duplex) -> None:
        """See `Impairer.apply`."""
        self._put(span, [state_arrays([(0, state)]) for state in duplex.ways])

    def replay(self, span: str, trace: Sequence[tuple[int, Duplex]], begin_ns: int) -> None:
        """See `Impairer.replay`; each state begins to the nanosecond."""
        times = [begin_ns + offset_ns for offset_ns, _ in trace]
        states = zip(*(duplex.ways for _, duplex in trace), strict=True)
        self._put(span, [state_arrays([*zip(times, way, strict=True)]) for way in states])

    def _put(self, span: str, asked: list[tuple[Any, Any, Any]]) -> None:
        relay = self._relays[span]
        relay.ask(asked)
        relay.asked = asked
        if differing := relay.deviation:
            raise ImpairmentError(f"span {span}: {differing}")

    def counters(self) -> dict[str, tuple[Counters, Counters]]:
        """See `Impairer.counters`."""
        read = {}
        for span, relay in self._relays.items():
            forward, backward = relay.ask()["counters"]
            read[span] = (Counters(**forward), Counters(**backward))
        return read

    def clocks(self) -> dict[str, Callable[[], int]]:
        """See `Impairer.clocks`."""
        return {span: partial(_time_of, relay) for span, relay in self._relays.items()}

    def processes(self) -> dict[str, int]:
        """See `Impairer.processes`."""
        return {span: relay.pid for span, relay in self._relays.items() if relay.pid}

    def deviations(self) -> dict[str, str]:
        """See `Impairer.deviations`; of a trace, the states to come are compared as well."""
        found = {span: relay.deviation for span, relay in self._relays.items()}
        return {span: deviation for span, deviation in found.items() if deviation}

    def close(self) -> None:
        """See `Impairer.close`; the devices go with their processes."""
        for relay in self._relays.values():
            relay.close()
        self._relays.clear()
        if self._processes is None:
            return
        try:
            self._processes.wait(timeout=2)
        except subprocess.TimeoutExpired:
            os.killpg(self._processes.pid, 9)
            self._processes.wait()


def _seeds(seed: int, span: str) -> list[int]:
    """Return the seed of a span's own draws."""
    return [abs(seed), crc32(span.encode())]


class _Relay:
    """The socket that one span's relay is commanded through."""

    def __init__(self, span: str, devices: tuple[str, str], control: Connection) -> None:
        self.span, self.devices = span, devices
        self._control = control
        self._timeout_s = _LOAD_TIMEOUT_S
        self.asked: list[tuple[Any, Any, Any]] = []
        self._in_force: list[tuple[Any, Any, Any]] = []
        self.pid = 0

    @property
    def deviation(self) -> str:
        """How the states that it told of last differ from those that were asked for."""
        ways = zip(("forward", "backward"), self.asked, self._in_force, strict=False)
        found = ((way, difference(asked, in_force)) for way, asked, in_force in ways)
        return "; ".join(f"{way} {text}" for way, text in found if text)

    def ask(self, request: Any = None) -> Any:
        """Send a request, if any; return the answer. Raises ImpairmentError if it is gone."""
        try:
            self._control.send(request)
            if not self._control.poll(self._timeout_s):
                raise ImpairmentError(f"the relay of span {self.span} does not answer")
            answer = self._control.recv()
        except (OSError, EOFError):
            raise ImpairmentError(f"the relay of span {self.span} ended") from None
        self._timeout_s = _ANSWER_TIMEOUT_S
        if answer["fault"]:
            raise ImpairmentError(f"span {self.span}: {answer['fault']}")
        self._in_force, self.pid = answer["states"], answer["pid"]
        return answer

    def close(self) -> None:
        self._control.close()


def _time_of(relay: _Relay) -> int:
    now_ns: int = relay.ask()["now_ns"]
    return now_ns


def _open_tap(device: str, mtu: int) -> int:
    """Make a TAP device that is up, without address and carrier; return its descriptor."""
    try:
        tap = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH22x", device.encode(), _IFF_TAP_NO_PI))
    except OSError as error:
        raise MachineError(
            f"cannot make a TAP device ({error.strerror}): the relay needs /dev/net/tun; "
            "load it with: modprobe tun"
        ) from None
    subprocess.run(["ip", "link", "set", device, "mtu", str(mtu), "up"], check=True)
    with closing(Carrier([device])) as carrier:
        carrier.put(False)
    return tap
