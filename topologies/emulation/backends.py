"""The back ends that can carry spans: which one a machine and a scenario call for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from topologies.emulation.capabilities import Capabilities
from topologies.emulation.errors import MachineError
from topologies.emulation.impairer import Impairer
from topologies.emulation.netem import NetemImpairer
from topologies.emulation.relay.impairer import RelayImpairer
from topologies.linkstate import LinkState

BackEnd = Literal["netem", "relay"]


def choose_impairer(
    machine: Capabilities, wanted: BackEnd | None, states: Iterable[LinkState]
) -> Capabilities:
    """Return the machine with a back end chosen that does all of the states.

    That is ``wanted``, or else netem where the kernel has it and it can, or else the relay. Raises
    MachineError naming what the machine has not, or what that back end cannot do.
    """
    faults: dict[BackEnd, str | None] = {
        "netem": None if machine.netem else "this kernel has no netem: modprobe sch_netem",
        "relay": None if machine.tap else "the relay needs TAP devices: modprobe tun",
    }
    states = list(states)
    for name, kind in _kinds().items():
        unable = (fault for state in states if (fault := kind.unable(state)))
        faults[name] = faults[name] or next(unable, None)
    for name in [wanted] if wanted else _kinds():
        if not faults[name]:
            return replace(machine, spans_by=name)
    told = [faults[wanted]] if wanted else faults.values()
    raise MachineError("; ".join(fault for fault in told if fault))


def open_impairer(name: BackEnd, spans: Iterable[str], mtu: int, seed: int) -> Impairer:
    """Open the back end of that name; every span is down until its first `Impairer.apply`."""
    return _kinds()[name](spans, mtu, seed)


def _kinds() -> dict[BackEnd, type[Impairer]]:
    """Return the back ends, the one to prefer first."""
    return {"netem": NetemImpairer, "relay": RelayImpairer}
