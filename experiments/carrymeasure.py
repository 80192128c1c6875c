"""Measures what this machine's switches carry, and how long they take, before ranks need them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from controller.errors import ControllerError
from experiments.carrying import Carrying, keep, kept
from experiments.errors import RunFailed
from experiments.flows import run_tcp
from experiments.network import running_network
from experiments.scenario import Scenario, load_scenario
from experiments.twin import twin_of
from topologies.emulation.backends import choose_impairer
from topologies.emulation.capabilities import Capabilities, probe
from topologies.emulation.errors import EmulationError, MachineError
from topologies.emulation.ownership import owned_folder
from topologies.emulation.reaping import reap

MTUS = 1500, 9000
ROOMY = "20 Gbit/s"
"""Of span and hosts: more than switches carry, so that they are the limit."""
SECONDS, TRIES = 1.0, 3
"""The best of some: what else the machine does takes from a rate and never adds to it."""
SPAN = "west-east"


def ensure_known(source: Path, stage: Callable[[str], None]) -> None:
    """Measure this machine where a scenario file leaves scales to be chosen and nobody has yet.

    Raises FileError for a bad file; else as `renew` does.
    """
    if load_scenario(source).emulate.auto and kept() is None:
        stage("measuring what this machine carries, once")
        renew()


def renew() -> None:
    """Measure this machine and keep its figures.

    Raises MachineError for what the machine lacks, RunFailed when the switches do not work.
    """
    try:
        keep(measure())
    except MachineError:
        raise
    except (EmulationError, ControllerError) as error:
        raise RunFailed(f"what this machine carries could not be measured: {error}") from None


def measure() -> Carrying:
    """Measure the switches, which takes about half a minute; remove what dead runs left."""
    machine = probe()
    if machine.missing:
        raise MachineError("this machine lacks:\n" + "\n".join(f"  {m}" for m in machine.missing))
    reap()
    found = [_measure(machine, mtu) for mtu in MTUS]
    return Carrying(
        goodput_bps=tuple((mtu, bps) for mtu, (bps, _) in zip(MTUS, found, strict=True)),
        path_ns=max(path_ns for _, path_ns in found),
        machine="this machine",
    )


def _measure(machine: Capabilities, mtu: int) -> tuple[int, int]:
    """Return the goodput (bit/s) over a span between two switches, and their round trip (ns)."""
    scenario = _scenario(mtu)
    twin = twin_of(scenario)
    machine = choose_impairer(machine, None, twin.states)
    with ExitStack() as stack:
        folder = stack.enter_context(owned_folder(secrets.token_hex(3)))
        network = stack.enter_context(
            running_network(twin, machine, scenario, folder=folder, logs=folder)
        )
        network.controller.set_probing(False)
        network.calibrate(twin.initial)
        found = [run_tcp(network.lab, [SPAN], False, SECONDS)[0] for _ in range(TRIES)]
        floor = network.floor[SPAN]
    reached = [bps for bps in found if bps is not None]
    if not reached:
        raise EmulationError("no TCP connection came about between two switches")
    return round(max(reached)), round(floor.median_ns)


def _scenario(mtu: int) -> Scenario:
    """Return two campuses and a span that is faster and shorter than any switch."""
    campus = {"workers": 1, "fabric": {"kind": "star", "rate": ROOMY, "mtu": mtu}}
    return Scenario.model_validate(
        {
            "name": "carrying",
            "network": {
                "campuses": {"west": campus, "east": campus},
                "spans": {SPAN: {"rate": ROOMY, "delay": "0 ms"}},
            },
            "workload": {"gradients": "1 MB", "compute": "10 ms", "steps": 12},
            "emulate": {"bytes": 1, "time": 1},
        }
    )
