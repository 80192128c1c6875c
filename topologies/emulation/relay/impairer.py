"""Starts, commands and ends the relay processes of all spans."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from topologies.emulation.errors import ImpairmentError, MachineError
from topologies.emulation.impairer import Counters
from topologies.linkstate import LinkState

_TUNSETIFF = 0x400454CA
_IFF_TAP_NO_PI = 0x0002 | 0x1000
_ANSWER_TIMEOUT_S = 5.0


class RelayImpairer:
    """User-space relays: work on every machine that has TAP devices (see `Impairer`)."""

    name = "relay"
    tells_drops_apart = True

    def __init__(self, spans: Iterable[str], mtu: int, seed: int) -> None:
        """Make a cable and a process per span, down until `apply`.

        Raises MachineError where TAP devices cannot be made.
        """
        self._relays: dict[str, _Relay] = {}
        try:
            for index, span in enumerate(spans):
                devices = (f"span{index}a", f"span{index}b")
                self._relays[span] = _Relay(span, devices, mtu, f"{seed}/{span}")
        except BaseException:
            self.close()
            raise

    @property
    def cables(self) -> Mapping[str, tuple[str, str]]:
        """By span, its two TAP devices."""
        return {span: relay.devices for span, relay in self._relays.items()}

    @property
    def realtime(self) -> bool:
        """Whether every relay runs at real-time priority."""
        return all(relay.ask({})["realtime"] for relay in self._relays.values())

    def apply(self, span: str, forward: LinkState, backward: LinkState) -> None:
        """See `Impairer.apply`."""
        asked = [asdict(forward), asdict(backward)]
        in_force = self._relays[span].ask({"apply": asked})["states"]
        if in_force != asked:
            raise ImpairmentError(f"span {span}: asked for {asked}, in force is {in_force}")

    def counters(self) -> dict[str, tuple[Counters, Counters]]:
        """See `Impairer.counters`."""
        read = {}
        for span, relay in self._relays.items():
            forward, backward = relay.ask({})["counters"]
            read[span] = (Counters(**forward), Counters(**backward))
        return read

    def close(self) -> None:
        """See `Impairer.close`; the devices go with their processes."""
        for relay in self._relays.values():
            relay.close()
        self._relays.clear()


class _Relay:
    """One span's process and the socket it is commanded through."""

    def __init__(self, span: str, devices: tuple[str, str], mtu: int, seed: str) -> None:
        self.span, self.devices = span, devices
        taps = [_open_tap(device, mtu) for device in devices]
        self._control, theirs = socket.socketpair()
        self._control.settimeout(_ANSWER_TIMEOUT_S)
        descriptors = (*taps, theirs.fileno())
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-I",
                "-m",
                "topologies.emulation.relay",
                *map(str, descriptors),
                seed,
            ],
            pass_fds=descriptors,
            start_new_session=True,
        )
        theirs.close()
        for tap in taps:
            os.close(tap)
        self._answers = self._control.makefile("r")

    def ask(self, request: dict[str, Any]) -> Any:
        """Send one request; return its answer. Raises ImpairmentError when the relay is gone."""
        try:
            self._control.sendall(json.dumps(request).encode() + b"\n")
            answer = self._answers.readline()
        except OSError as error:
            raise ImpairmentError(f"relay of span {self.span} does not answer: {error}") from None
        if not answer:
            raise ImpairmentError(f"relay of span {self.span} ended ({self._process.poll()})")
        return json.loads(answer)

    def close(self) -> None:
        self._answers.close()
        self._control.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _open_tap(device: str, mtu: int) -> int:
    """Make a TAP device that is up and has no address; return its descriptor."""
    try:
        tap = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH22x", device.encode(), _IFF_TAP_NO_PI))
    except OSError as error:
        raise MachineError(
            f"cannot make a TAP device ({error.strerror}): the relay needs /dev/net/tun; "
            "load it with: modprobe tun"
        ) from None
    subprocess.run(["ip", "link", "set", device, "mtu", str(mtu), "up"], check=True)
    return tap
