"""The kernel's own impairer: a veth pair per span with a netem queue at each end."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

from topologies.emulation.errors import ImpairmentError
from topologies.emulation.impairer import Counters
from topologies.linkstate import LinkState

ETHERNET_HEADER = 14


class NetemImpairer:
    """Spans through ``sch_netem`` (see `Impairer`); its counters do not tell drops by cause."""

    name = "netem"
    tells_drops_apart = False

    def __init__(self, spans: Iterable[str], mtu: int, seed: int) -> None:
        """Make a veth pair per span, down until `apply`; the kernel draws its own losses."""
        self._cables = {
            span: (f"span{index}a", f"span{index}b") for index, span in enumerate(spans)
        }
        for first, second in self.cables.values():
            _run("ip", "link", "add", first, "type", "veth", "peer", "name", second)
            for device in (first, second):
                _run("ip", "link", "set", device, "mtu", str(mtu), "up")
                _run("tc", "qdisc", "add", "dev", device, "root", "netem", "loss", "100%")

    @property
    def cables(self) -> Mapping[str, tuple[str, str]]:
        """By span, its two veth devices."""
        return self._cables

    def apply(self, span: str, forward: LinkState, backward: LinkState) -> None:
        """See `Impairer.apply`."""
        for device, state in zip(self.cables[span], (forward, backward), strict=True):
            # Replacing netem by netem keeps the packets in the queue, each with its due time.
            _run("tc", "qdisc", "replace", "dev", device, "root", "netem", *netem_options(state))
            in_force = json.loads(_run("tc", "-j", "qdisc", "show", "dev", device, "root"))
            if fault := netem_difference(state, in_force[0]["options"]):
                raise ImpairmentError(f"span {span}, {device}: {fault}")

    def counters(self) -> dict[str, tuple[Counters, Counters]]:
        """See `Impairer.counters`; every drop counts as a queue drop."""
        read = {}
        for span, devices in self.cables.items():
            forward, backward = (self._counters(device) for device in devices)
            read[span] = (forward, backward)
        return read

    def close(self) -> None:
        """See `Impairer.close`."""
        for first, _ in self.cables.values():
            subprocess.run(["ip", "link", "del", first], check=False, capture_output=True)

    @staticmethod
    def _counters(device: str) -> Counters:
        queue = json.loads(_run("tc", "-s", "-j", "qdisc", "show", "dev", device, "root"))[0]
        return Counters(
            packets=queue["packets"] + queue["drops"],
            bytes=queue["bytes"],
            delivered=queue["packets"],
            delivered_bytes=queue["bytes"],
            queue_drops=queue["drops"],
        )


def netem_options(state: LinkState) -> list[str]:
    """Return the options of ``tc ... netem`` for a link state."""
    loss = state.loss if state.up else 1.0
    return [
        *("limit", str(netem_limit(state))),
        *("delay", f"{state.delay_ns / 1000:.3f}us"),
        *("loss", f"{loss * 100:.7f}%"),
        *("rate", f"{state.rate_bps}bit"),
    ]


def netem_limit(state: LinkState) -> int:
    """Return netem's limit in packets: those in the queue and, for it the same, on the line."""
    on_the_way = state.rate_bps * state.delay_ns / 8e9
    return math.ceil((state.queue_bytes + on_the_way) / (state.mtu + ETHERNET_HEADER))


def netem_difference(state: LinkState, options: dict[str, Any]) -> str | None:
    """Compare a state with what netem says is in force; return the first difference."""
    pairs = {
        "delay": (state.delay_ns / 1e9, options.get("delay", {}).get("delay", 0.0), 2e-6),
        "loss": (
            state.loss if state.up else 1.0,
            options.get("loss-random", {}).get("loss", 0.0),
            1e-9 + 1e-3 * state.loss,
        ),
        "limit": (netem_limit(state), options.get("limit", 0), 0),
        "rate": (state.rate_bps / 8, options.get("rate", {}).get("rate", 0), 1.0),
    }
    for name, (asked, in_force, tolerance) in pairs.items():
        if abs(asked - in_force) > tolerance:
            return f"{name} {asked} was asked for, {in_force} is in force"
    return None


def _run(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ImpairmentError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
