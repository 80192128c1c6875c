"""The emulated twin: every real quantity of a scenario at its byte and time scale. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from experiments.outages import (
    HOUR_NS,
    Interval,
    by_hand,
    drawn,
    failed_state,
    faults_of,
    states_through,
)
from experiments.scenario import Scenario, load_scenario
from experiments.timeline import TimelineEvent
from topologies.ageing.outages import PROTECTION_HIT_NS
from topologies.ageing.plant import Plant
from topologies.errors import NetworkError
from topologies.files import FileError
from topologies.graph import Graph, build_graph
from topologies.linkstate import Duplex, LinkState
from topologies.spans import (
    campus_grade,
    initial_plant,
    plant_chain,
    span_plants,
    span_states,
    traced,
)
from topologies.spec import SpanSpec
from topologies.units import render

HORIZON_STEPS = 100
"""Outages are drawn for a run whose steps take this many times their compute time."""


@dataclass(frozen=True)
class Change:
    """A span's state from a step on.

    Attributes:
        step: before which it comes.
        kind: ``age`` (also the end of the reference phase), ``upgrade``, ``fail`` or ``restore``.
        span: whose state changes.
        upgrade: its name.
        real, emulated: the state, at both scales.
        trace: emulated states that follow by themselves, by their offset in ns.
        down: the emulated state during an outage.
        outages: those placed by hand, as ``(begin, end)`` in emulated ns from the change on.
        first: whether it ends the reference phase.
        phase: the name of the phase that begins with it, where it has one of its own.
    """

    step: int
    kind: str
    span: str
    upgrade: str | None
    real: Duplex
    emulated: Duplex
    trace: tuple[tuple[int, Duplex], ...] = ()
    down: Duplex | None = None
    outages: tuple[Interval, ...] = ()
    first: bool = False
    phase: str = ""

    @property
    def states(self) -> tuple[Duplex, ...]:
        """Every emulated state that this change may bring, in order."""
        failed = (self.down,) if self.down else ()
        return (self.emulated, *(state for _, state in self.trace), *failed)

    @property
    def usual(self) -> Duplex:
        """The emulated state that the change leads to in the end."""
        return self.trace[-1][1] if self.trace else self.emulated


@dataclass(frozen=True)
class Twin:
    """What is built and trained.

    Attributes:
        graph: nodes, ports and addresses.
        reference: emulated state of every span in the reference phase.
        changes: what happens to the spans, in order.
        access_bps: emulated wire rate of each worker's access link, by host name.
        gradient_bytes, bucket_bytes, compute_ns: of one emulated step.
        outages: drawn ones by span, as ``(begin, end)`` in emulated ns since the spans are aged.
    """

    graph: Graph
    reference: Duplex
    changes: tuple[Change, ...]
    access_bps: dict[str, int]
    gradient_bytes: int
    bucket_bytes: int
    compute_ns: int
    outages: Mapping[str, tuple[Interval, ...]]

    @property
    def states(self) -> list[LinkState]:
        """Every emulated state that any way of any span comes to."""
        changed = chain(*(change.states for change in self.changes))
        return [way for duplex in (self.reference, *changed) for way in duplex.ways]

    @property
    def initial(self) -> dict[str, Duplex]:
        """Emulated state of every span after the reference phase and before anything else."""
        states: dict[str, Duplex] = {}
        for change in self.changes:
            states.setdefault(change.span, change.emulated)
        return states

    @property
    def final(self) -> dict[str, Duplex]:
        """Emulated state of every span at the end of the run, outages over."""
        return {change.span: change.usual for change in self.changes if change.kind != "fail"}

    @property
    def traces(self) -> dict[str, tuple[Duplex, ...]]:
        """Emulated states of the spans that change by themselves or fail."""
        found: dict[str, tuple[Duplex, ...]] = {}
        for change in self.changes:
            if change.trace or change.down:
                found[change.span] = found.get(change.span, ()) + change.states
        return found

    def replay_of(self, change: Change, since_ns: int) -> list[tuple[int, Duplex]]:
        """Return the states that follow a change by themselves, by their offset from it in ns.

        ``since_ns`` is the emulated time since the spans are aged, from which drawn outages count.
        """
        if change.trace:
            return [(0, change.emulated), *change.trace]
        if change.down is None or change.emulated == change.down:
            return []
        rest = [(begin - since_ns, end - since_ns) for begin, end in self.outages[change.span]]
        coming = [*change.outages, *(outage for outage in rest if outage[1] > 0)]
        if not coming:
            return []
        return [(0, change.emulated), *states_through(coming, change.emulated, change.down)]


def load_twin(path: Path) -> tuple[Scenario, Twin]:
    """Read a scenario file and derive its twin; raises FileError for whatever is wrong with it."""
    scenario = load_scenario(path)
    try:
        return scenario, twin_of(scenario)
    except NetworkError as error:
        raise FileError(f"{path}: {error}") from None


def twin_of(scenario: Scenario) -> Twin:
    """Derive the emulated twin.

    Raises NetworkError when a span cannot work, or a quantity vanishes at the chosen scale.
    """
    network, scale = scenario.network, scenario.emulate
    fabrics = {name: campus.fabric for name, campus in network.campuses.items()}
    graph = build_graph(network)
    changes: list[Change] = []
    for span in network.spans:
        changes += _changes_of(span, scenario)
    outages = {span: _drawn_outages(span, scenario) for span in network.spans}
    gradient_bytes = int(scenario.workload.gradients * scale.bytes) // 4 * 4
    if gradient_bytes < 4096:
        raise NetworkError(
            f"workload.gradients: {render(scenario.workload.gradients, 'size')} become "
            f"{gradient_bytes} B when emulated; choose a larger emulate.bytes"
        )
    return Twin(
        graph=graph,
        reference=Duplex.both(campus_grade(list(fabrics.values()), network.mtu)).scaled(
            scale.bytes, scale.time
        ),
        changes=tuple(sorted(changes, key=lambda change: change.step)),
        access_bps={
            host.name: int(fabrics[host.campus].rate * scale.bytes / scale.time)
            for host in graph.hosts
        },
        gradient_bytes=gradient_bytes,
        bucket_bytes=max(1024, int(scenario.workload.bucket * scale.bytes)),
        compute_ns=int(scenario.workload.compute * scale.time),
        outages=outages,
    )


def _changes_of(span: str, scenario: Scenario) -> list[Change]:
    """Return all that happens to a span: it ages after the reference phase, then its events."""
    spec, scale, known = scenario.network.spans[span], scenario.emulate, scenario.known
    events = [event for event in scenario.timeline if event.target in (span, spec.duct)]
    altering = [event.change() for event in events if event.change() is not None]
    mtu = scenario.network.mtu
    states = iter(span_states(span, spec, altering, scenario.seed, mtu, known))
    fails = scenario.network.outages is not None or any(event.kind == "fail" for event in events)
    plants = iter(span_plants(spec, altering, known))
    changes = []
    try:
        for event in (None, *events):
            if event is None or event.change() is not None:
                real, plant = next(states), next(plants)
                emulated = real.scaled(scale.bytes, scale.time)
                down = failed_state(real, _backup(plant, scenario)) if fails else None
                down = down and down.scaled(scale.bytes, scale.time)
            lasting = event is not None and event.kind == "fail" and event.for_ is None
            hit_ns = PROTECTION_HIT_NS if plant.diverse else None
            changes.append(
                Change(
                    step=event.at if event else scenario.workload.reference_steps,
                    kind=event.kind if event else "age",
                    span=span,
                    upgrade=event.with_ if event else None,
                    real=real,
                    emulated=down if lasting and down else emulated,
                    trace=() if event else _trace(spec, real, scenario),
                    down=down,
                    outages=_by_hand(event, hit_ns, scenario) if event else (),
                    first=event is None,
                )
            )
    except NetworkError as error:
        raise NetworkError(f"network.spans.{span}: {error}") from None
    return changes


def _trace(spec: SpanSpec, real: Duplex, scenario: Scenario) -> tuple[tuple[int, Duplex], ...]:
    """Return a span's stated trace at the emulated scale."""
    scale = scenario.emulate
    return tuple(
        (int(after_ns * scale.time), state.scaled(scale.bytes, scale.time))
        for after_ns, state in traced(spec, real)
    )


def _by_hand(
    event: TimelineEvent, longest_ns: int | None, scenario: Scenario
) -> tuple[Interval, ...]:
    """Return an event's outages at the emulated scale; a standby route shortens each to a hit."""
    if event.for_ is None:
        return ()
    for_ns = min(event.for_, longest_ns) if longest_ns else event.for_
    scale = scenario.emulate.time
    outages = by_hand(for_ns, event.times)
    return tuple((int(begin * scale), int(end * scale)) for begin, end in outages)


def _drawn_outages(span: str, scenario: Scenario) -> tuple[Interval, ...]:
    """Return a span's outages at the emulated scale; spans of one duct have the same ones."""
    network, spec = scenario.network, scenario.network.spans[span]
    if network.outages is None:
        return ()
    plant = initial_plant(spec, scenario.known)
    workload = scenario.workload
    outages = drawn(
        faults_of(spec, plant),
        plant.hits_per_year,
        horizon_ns=min(HORIZON_STEPS * workload.steps * workload.compute, 24 * HOUR_NS),
        speed=network.outages.speed,
        seed=scenario.seed,
        name=spec.duct or span,
    )
    scale = scenario.emulate.time
    return tuple((int(begin * scale), int(end * scale)) for begin, end in outages)


def _backup(plant: Plant, scenario: Scenario) -> LinkState | None:
    """Return the microwave link that takes over when a span fails, where there is one."""
    if not plant.radio_backup:
        return None
    straight_m = round(plant.route_m / plant.slack)
    radio = scenario.known.plant(["microwave-backup"], straight_m, 0)
    return plant_chain(radio, "", scenario.seed, scenario.network.mtu, scenario.known).state
