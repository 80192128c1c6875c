"""Where runs take place: a lab and launchers with torch, which may stay up for the next run.

A sweep keeps one bench from its first point to its last. What a run finds there is as if it had
been built for it; a run that cannot leave it so makes the next one build its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from experiments.containers import training_in
from experiments.network import Network, running_network
from experiments.placement import write_hosts
from experiments.record import Record
from experiments.scenario import Scenario
from experiments.timeline import ROUTING
from experiments.training import Training
from experiments.twin import Twin
from topologies.emulation.capabilities import Capabilities, probe
from topologies.emulation.ownership import owned_folder


@dataclass(frozen=True)
class Place:
    """What a run takes place on.

    Attributes:
        hosts_file: names of all machines, in the private folder of who built it.
        logs: of what outlives a run.
        renewed: whether another run took place there before.
    """

    training: Training
    network: Network
    hosts_file: Path
    logs: Path
    renewed: bool = False


class Bench:
    """Keeps the last run's place for the next one, if that fits it, until `close`."""

    def __init__(self, *, kept: bool = True) -> None:
        """Begin with nothing; without ``kept``, each run builds a place and takes it down."""
        self._kept = kept
        self._stack = ExitStack()
        self._place: Place | None = None
        self._fit: dict[str, Any] = {}

    @cached_property
    def machine(self) -> Capabilities:
        """What the machine has, which is found out once."""
        return probe()

    @contextmanager
    def place(
        self,
        scenario: Scenario,
        twin: Twin,
        machine: Capabilities,
        name: str,
        record: Record,
        stage: Callable[[str], None],
    ) -> Iterator[Place]:
        """Yield a place for a run of that name, in its aged state; it is let go of if that fails.

        Raises what building one does: see `running_network` and `training_in`.
        """
        fit, place = fit_of(scenario, twin, machine), self._place
        try:
            if place and fit == self._fit:
                place.network.vitals.arm()
                place.network.renew(twin.initial, scenario.seed)
                place = replace(place, renewed=True)
            else:
                place = None
                self.close()
                place = self._build(scenario, twin, machine, name, record, stage)
            record.event("network up")
            with place.network.vitals.explaining():
                yield place
            place.network.vitals.rest()
        except BaseException:
            if place is not None:
                place.network.vitals.rest()
            hand_over(place, record)
            self.close()
            raise
        hand_over(place, record)
        if self._kept and returns(twin) and scenario.emulate.runtime.name == "namespace":
            self._place, self._fit = place, fit
        else:
            self.close()

    def _build(
        self,
        scenario: Scenario,
        twin: Twin,
        machine: Capabilities,
        name: str,
        record: Record,
        stage: Callable[[str], None],
    ) -> Place:
        with ExitStack() as stack:
            folder = stack.enter_context(owned_folder(name))
            hosts_file, runtime = write_hosts(twin, folder), scenario.emulate.runtime
            logs = record.logs
            if self._kept:  # a sweep may do away with a run's
                (logs := folder / "logs").mkdir()
            training, places = stack.enter_context(
                training_in(runtime, twin, hosts_file, record, logs, stage)
            )
            stage("building the network")
            network = stack.enter_context(
                running_network(twin, machine, scenario, folder=folder, logs=logs, places=places)
            )
            stack.callback(training.close)  # the ranks go before their network does
            stack.callback(network.vitals.rest)  # before any of them goes
            for component, pid in training.components():
                network.vitals.watch(component, pid)
            training.wait_imported()
            self._stack = stack.pop_all()
        return Place(training, network, hosts_file, logs)

    def close(self) -> None:
        """Take down what is kept, if anything."""
        self._place = None
        self._stack.close()


def hand_over(place: Place | None, record: Record) -> None:
    """Give a run the logs of what outlives it."""
    if place is not None and place.logs != record.logs:
        for log in place.logs.iterdir():
            shutil.copy(log, record.logs)


def returns(twin: Twin) -> bool:
    """Return whether a run leaves routes as it found them."""
    return not any(action.kind in ROUTING for action in twin.actions)


def fit_of(scenario: Scenario, twin: Twin, machine: Capabilities) -> dict[str, Any]:
    """Return what two runs must have alike to take place in one lab."""
    return {
        "graph": twin.graph,
        "access": twin.access_bps,
        "tcp": (twin.tcp, scenario.network.congestion_control, scenario.network.mtu),
        "controller": (scenario.controller, twin.demands),
        "machine": (machine.impairer, machine.datapath, scenario.emulate.runtime),
    }
