"""What a training session leaves for the result, and who watches it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from controller.client import ControllerClient
from experiments.coherence import PhasePlan
from experiments.network import Network
from experiments.ondisk import OnDisk
from experiments.rests import Rest
from experiments.traffic import Routes
from topologies.emulation.impairer import Counters
from topologies.linkstate import Duplex
from workloads.strategies import Options

SpanCounters = Mapping[str, tuple[Counters, Counters]]


class Observer(Protocol):
    """Somebody who watches a run."""

    def begin(self, steps: int) -> None:
        """Learn that a run of ``steps`` steps begins."""

    def stage(self, text: str) -> None:
        """Learn what the run does now."""

    def step(self, step: int, phase: str, step_ms: float, coherence: float | None) -> None:
        """Learn that all ranks finished a step."""


@dataclass
class LegRun:
    """A leg as it was run; see `experiments.legs`.

    Attributes:
        members: the ranks that trained.
        first_step: that they began with.
        begin_ns: when they were let go, by CLOCK_MONOTONIC.
        begun, ended: the spans' counters then, and when it was over.
        state_bytes: of state that ranks were sent before, to go on from.
        fault: what ended it before it should have, or None.
        strategy, options: what it trained by, the options all and emulated.
    """

    members: tuple[int, ...]
    first_step: int
    begin_ns: int
    begun: SpanCounters
    ended: SpanCounters | None = None
    state_bytes: int = 0
    fault: str | None = None
    strategy: str = ""
    options: Options = field(default_factory=dict)


@dataclass
class Session:
    """What a session leaves for the result.

    Attributes:
        phases: in order, each with the time from which it was in force.
        states: by phase, the state of every span.
        snapshots: the spans' counters at the start of each phase and at the end of training.
        routes: the controller's as they changed, each with the time (ns) since it is in force.
        version: that the controller gave them.
        rerouted: whether the controller changed them by itself, in the middle of a step.
        legs: in order, those that came to train.
        rests: the pauses, in order.
        died: ranks that were lost and not killed by an event.
    """

    phases: OnDisk[PhasePlan] = field(default_factory=OnDisk)
    states: OnDisk[dict[str, Duplex]] = field(default_factory=OnDisk)
    snapshots: OnDisk[SpanCounters] = field(default_factory=OnDisk)
    routes: list[tuple[int, Routes]] = field(default_factory=list)
    version: int = 0
    rerouted: bool = False
    legs: list[LegRun] = field(default_factory=list)
    rests: list[Rest] = field(default_factory=list)
    died: list[int] = field(default_factory=list)

    @property
    def ranks(self) -> list[int]:
        """How many ranks each leg had."""
        return [len(leg.members) for leg in self.legs]

    @property
    def since_ns(self) -> list[int]:
        """When training went on after what was no training: pauses, and another strategy's start.

        The next step lasts from then on.
        """
        begins = [
            after.begin_ns
            for before, after in pairwise(self.legs)
            if (before.strategy, before.options) != (after.strategy, after.options)
        ]
        return sorted([*begins, *(rest.end_ns for rest in self.rests)])

    def begin(
        self,
        name: str,
        states: dict[str, Duplex],
        counters: SpanCounters,
        *,
        reference: bool = False,
        change_ns: int | None = None,
    ) -> None:
        """Begin a phase now, whose change was begun to be made at a time."""
        self.phases.append(PhasePlan(name, time.monotonic_ns(), reference, change_ns))
        self.states.append(states)
        self.snapshots.append(counters)

    def routed(self, network: Network, *, by_itself: bool = False) -> int:
        """Take note of the routes now in force; return the time (ns) from which they were."""
        health = network.supervised.ask(ControllerClient.health)
        self.version = health.version
        self.rerouted |= by_itself
        last_ns, last = self.routes[-1] if self.routes else (0, None)
        at_ns = max(last_ns, health.in_force_ns)  # a controller started anew no longer knows
        routes: Routes = network.supervised.ask(ControllerClient.crossings)
        if routes != last:  # few differ, however often spans change
            before = (it for _, it in reversed(self.routes) if it == routes)
            self.routes.append((at_ns, next(before, routes)))
        return at_ns
