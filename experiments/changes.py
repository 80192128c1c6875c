"""What happens to each span in a run, from the scenario's words to emulated states. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from experiments import scaling
from experiments.outages import (
    HOUR_NS,
    Interval,
    black_hole,
    by_hand,
    drawn,
    faded_state,
    fades_of,
    failed_state,
    faults_of,
)
from experiments.scenario import Scenario
from experiments.timeline import SPANS, TimelineEvent
from topologies.ageing.outages import PROTECTION_HIT_NS
from topologies.ageing.plant import Plant
from topologies.errors import NetworkError
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

HORIZON_STEPS = 100
"""Outages are drawn for a run whose steps take this many times their compute time."""


@dataclass(frozen=True)
class Change:
    """A span's state from a step on.

    Attributes:
        step: before which it comes.
        kind: ``age`` (also the end of the reference phase), ``upgrade``, ``set``, ``fail``,
            ``restore``, or ``reference`` and ``back``, between which a new strategy has its own.
        span: whose state changes.
        upgrade: its name.
        real, emulated: the state, at both scales.
        trace: emulated states that follow by themselves, by their offset in ns.
        down: the emulated state during an outage; ``faded`` the one that rain brings a radio link.
        outages: those placed by hand, as ``(begin, end)`` in emulated ns from the change on.
        first: whether it ends the reference phase.
        phase: the name of the phase that begins with it, where it has one of its own.
        whole: where the span is down until it is restored, the emulated state that it then has.
    """

    step: int
    kind: str
    span: str
    upgrade: str | None
    real: Duplex
    emulated: Duplex
    trace: tuple[tuple[int, Duplex], ...] = ()
    down: Duplex | None = None
    faded: Duplex | None = None
    outages: tuple[Interval, ...] = ()
    first: bool = False
    phase: str = ""
    whole: Duplex | None = None

    @property
    def states(self) -> tuple[Duplex, ...]:
        """Every emulated state that this change may bring, in order."""
        failed = (state for state in (self.down, self.faded, self.whole) if state)
        return (self.emulated, *(state for _, state in self.trace), *failed)

    @property
    def usual(self) -> Duplex:
        """The emulated state that the change leads to in the end."""
        return self.trace[-1][1] if self.trace else self.whole or self.emulated


def changes_of(span: str, scenario: Scenario) -> list[Change]:
    """Return all that happens to a span: it ages after the reference phase, then its events."""
    spec, known = scenario.network.spans[span], scenario.known
    named = (span, spec.duct, *scenario.network.ends_of(span))
    events = [it for it in scenario.timeline if it.kind in SPANS and it.target in named]
    altering = [event.change() for event in events if event.change() is not None]
    mtu = scenario.network.mtu
    states = iter(span_states(span, spec, altering, scenario.seed, mtu, known))
    fails = scenario.network.outages is not None or any(
        event.kind == "fail" or event.for_ is not None for event in events
    )
    plants = iter(span_plants(spec, altering, known))
    changes: list[Change] = []
    failed = False
    try:
        for event in (None, *events):
            changed = event is None or event.change() is not None
            if changed:
                real, plant = next(states), next(plants)
            if event is not None and event.set is not None:
                real = Duplex(*(event.state().on(way) for way in real.ways))
                changed = True
            if changed:
                emulated = scaling.emulated(real, scenario)
                down = failed_state(real, _backup(plant, scenario)) if fails else None
                down = down and scaling.emulated(down, scenario)
                faded = None
                if scenario.network.outages and fades_of(plant):
                    faded = scaling.emulated(faded_state(real, plant), scenario)
            if event is None or event.set is None:  # which leaves a span that is down as it is
                failed = event is not None and event.kind == "fail" and event.for_ is None
            hit_ns = PROTECTION_HIT_NS if plant.diverse else None
            changes.append(
                Change(
                    step=event.at if event else scenario.workload.reference_steps,
                    kind=event.kind if event else "age",
                    span=span,
                    upgrade=event.with_ if event else None,
                    real=real,
                    emulated=down if failed and down else emulated,
                    whole=emulated if failed and down else None,
                    trace=() if event else _trace(spec, real, scenario),
                    down=black_hole(emulated) if event is not None and event.silent else down,
                    faded=faded,
                    outages=_by_hand(event, hit_ns, scenario) if event else (),
                    first=event is None,
                )
            )
    except NetworkError as error:
        raise NetworkError(f"network.spans.{span}: {error}") from None
    return _with_references(changes, scenario)


def _with_references(changes: list[Change], scenario: Scenario) -> list[Change]:
    """Put in that a span is as good as a campus while a new strategy has its reference."""
    grade = campus_grade_of(scenario)
    emulated = grade.scaled(scenario.emulate.bytes, scenario.emulate.time)
    for chosen in scenario.strategies[1:]:
        begin, end = chosen.step, chosen.step + scenario.workload.reference_steps
        place = sum(change.step <= begin for change in changes)
        before = changes[place - 1]
        name = chosen.strategy.name
        as_campus = Change(begin, "reference", before.span, None, grade, emulated)
        after = replace(before, step=end, kind="back", upgrade=None, first=False)
        changes[place:place] = [
            replace(as_campus, phase=f"reference of {name}"),
            replace(after, trace=(), outages=(), phase=f"training by {name}"),
        ]
    return changes


def campus_grade_of(scenario: Scenario) -> Duplex:
    """Return the real state of every span in a reference: as good as the slowest fabric."""
    fabrics = [campus.fabric for campus in scenario.network.campuses.values()]
    return Duplex.both(campus_grade(fabrics, scenario.network.mtu))


def _trace(spec: SpanSpec, real: Duplex, scenario: Scenario) -> tuple[tuple[int, Duplex], ...]:
    """Return a span's stated trace at the emulated scale."""
    return tuple(
        (int(after_ns * scenario.emulate.time), scaling.emulated(state, scenario))
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


def drawn_outages(span: str, scenario: Scenario) -> tuple[Interval, ...]:
    """Return a span's outages at the emulated scale; spans of one duct have the same ones."""
    network, spec = scenario.network, scenario.network.spans[span]
    if network.outages is None:
        return ()
    plant = initial_plant(spec, scenario.known)
    workload = scenario.workload
    outages = drawn(
        faults_of(spec, plant) or fades_of(plant),
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
