"""Chooses the scales that a scenario leaves to be chosen, and says why. Pure.

The quotient bytes / time follows from what the machine's switches carry, the time scale from what
must not be too short; the smallest that will do makes the shortest run. See docs/similarity.md.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from experiments.carrying import Carrying
from experiments.exchanges import Exchange, exchanges_of
from experiments.model import TWIN_OVERHEAD_S
from experiments.model.collectives import IN_FLIGHT
from experiments.model.job import FORWARD_SHARE
from experiments.planner.crossings import Crossings, crossings_of
from experiments.scenario import Scenario
from experiments.twin import Twin, twin_of
from topologies.errors import NetworkError
from topologies.linkstate import Duplex
from topologies.tcp import LEAST_RTO_MIN_NS, RTO_MIN_NS
from topologies.units import render

HEADROOM = Fraction(1, 2)
"""Of what switches carry alone, for training: ranks and relays need the processors as well."""
PATH_MARGIN = 2
"""Round trips of the switches that a span's must hold: theirs grows while they are busy."""
OVERHEAD_SHARE = Fraction(1, 10)
"""Of a step's compute, for what an emulated step takes by itself: a share e adds at most
e (1 - coherence) to a coherence."""
SEGMENT_PACKETS = 2
"""That the smallest message of a collective fills, so that headers stay small beside it."""
LONGEST_RUN_NS = 3600 * 10**9
TIMES = (
    *(Fraction(1, parts) for parts in (100, 50, 40, 25, 20, 10, 8, 5, 4, 3, 2)),
    *(Fraction(2, 3), Fraction(3, 4), Fraction(1), Fraction(3, 2), Fraction(2), Fraction(5, 2)),
    *(Fraction(it) for it in (3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150)),
)
"""Time scales to choose from, the shortest run first."""
_ROUND = (1, Fraction(5, 4), Fraction(3, 2), 2, Fraction(5, 2), 3, 4, 5, 6, 8)
"""One over these, and over ten times, a hundred times these, are the rates to choose from."""


@dataclass(frozen=True)
class Choice:
    """The scales that were chosen.

    Attributes:
        bytes, time: the scales.
        because: what decided each, a sentence on each, then how long the run will be.
        carrying: the machine's figures.
    """

    bytes: Fraction
    time: Fraction
    because: tuple[str, ...]
    carrying: Carrying


@dataclass(frozen=True)
class Load:
    """What a scenario asks of any machine, in real quantities.

    Attributes:
        switched_bps: what all workers send at full rate, times the switches that it passes.
        shortest: the span with the shortest round trip, and that in ns; 0 where none has a delay.
        compute_ns: of a step.
        rounds: messages of a step that wait for each other; ``last_rounds`` those that backward
            cannot hide, of the last bucket.
        message_bytes: the smallest that a collective sends.
        packet_bytes: the largest packet.
        timers: whether anything makes TCP time out: losses or outages.
        run_ns: about how long the run lasts.
    """

    switched_bps: int
    shortest: tuple[str, int]
    compute_ns: int
    rounds: float
    last_rounds: float
    message_bytes: float
    packet_bytes: int
    timers: bool
    run_ns: float

    def overhead_ns(self, time: Fraction, carrying: Carrying) -> float:
        """Return what an emulated step takes beyond compute and the spans (ns).

        See TWIN_OVERHEAD_S; besides, each round takes the switches' round trip, which backward
        hides as long as it lasts.
        """
        backward_ns = float(self.compute_ns * time) * (1 - FORWARD_SHARE)
        waiting_ns = self.rounds * carrying.path_ns / IN_FLIGHT - backward_ns
        exposed_ns = max(waiting_ns, self.last_rounds * carrying.path_ns)
        return TWIN_OVERHEAD_S * 1e9 + exposed_ns


def settled(scenario: Scenario, carrying: Carrying) -> tuple[Scenario, Choice | None]:
    """Return a scenario with its scales chosen, and the choice; None where both are stated.

    Raises NetworkError when a span cannot work.
    """
    if not scenario.emulate.auto:
        return scenario, None
    choice = choose(scenario, carrying)
    return scaled(scenario, choice.bytes, choice.time), choice


def scaled(scenario: Scenario, byte_scale: Fraction, time_scale: Fraction) -> Scenario:
    """Return a scenario with both scales stated."""
    stated = scenario.emulate.model_copy(update={"bytes_": byte_scale, "time_": time_scale})
    return scenario.model_copy(update={"emulate": stated})


def choose(scenario: Scenario, carrying: Carrying) -> Choice:
    """Return the scales with the fewest things wrong; of several, those of the shortest run."""
    load = load_of(scenario)
    allowed = HEADROOM * Fraction(carrying.switched_bps(load.packet_bytes)) / load.switched_bps
    stated = scenario.emulate
    candidates = []
    for time in (stated.time_,) if stated.time_ is not None else TIMES:
        # Never more bytes than the real system has, nor higher rates.
        rate = min(round_down(allowed), Fraction(1), 1 / time)
        bytes_ = stated.bytes_ if stated.bytes_ is not None else rate * time
        faults = faults_of(load, bytes_, time, carrying, allowed)
        candidates.append((bytes_, time, faults))
    chosen = min(range(len(candidates)), key=lambda index: len(candidates[index][2]))
    byte_scale, time, faults = candidates[chosen]
    bound = candidates[chosen - 1][2] if chosen else []
    decisive = [words for words in bound if words not in faults]
    because = [
        f"bytes {byte_scale}: {_rate_words(load, carrying, allowed, stated.bytes_ is not None)}",
        f"time {time}: {_time_words(decisive, stated.time_ is not None, chosen)}",
        f"the run then takes about {render(load.run_ns * float(time), 'duration')}",
    ]
    because += [f"not kept: {words}" for words in faults]
    return Choice(byte_scale, time, tuple(because), carrying)


def faults_of(
    load: Load, byte_scale: Fraction, time: Fraction, carrying: Carrying, allowed: Fraction
) -> list[str]:
    """Say what two scales would leave too fast, too short, too small or too long."""
    span, rtt_ns = load.shortest
    overhead_ns = load.overhead_ns(time, carrying)
    path, overhead = render(carrying.path_ns, "duration"), render(overhead_ns, "duration")
    tests: list[tuple[bool, str]] = [
        (
            byte_scale / time <= allowed,
            "rates must stay within what the switches carry",
        ),
        (
            not rtt_ns or rtt_ns * time >= PATH_MARGIN * carrying.path_ns,
            f"the round trip of {span}, {render(rtt_ns, 'duration')}, must come to {PATH_MARGIN} "
            f"of the switches' own, {path}",
        ),
        (
            load.compute_ns * time * OVERHEAD_SHARE >= overhead_ns,
            f"a step's compute, {render(load.compute_ns, 'duration')}, must come to "
            f"{1 / OVERHEAD_SHARE} times what an emulated step takes by itself, {overhead}",
        ),
        (
            load.message_bytes * byte_scale >= SEGMENT_PACKETS * load.packet_bytes,
            f"the smallest message, {render(load.message_bytes, 'size')}, must fill "
            f"{SEGMENT_PACKETS} packets",
        ),
        (
            not load.timers or RTO_MIN_NS * time >= LEAST_RTO_MIN_NS,
            f"TCP's shortest timeout, {render(RTO_MIN_NS, 'duration')}, must come to "
            f"{render(LEAST_RTO_MIN_NS, 'duration')}",
        ),
        (
            load.run_ns * time <= LONGEST_RUN_NS,
            f"the run should end within {render(LONGEST_RUN_NS, 'duration')}: take fewer steps",
        ),
    ]
    return [words for good, words in tests if not good]


def round_down(rate: Fraction) -> Fraction:
    """Return the largest of the rates to choose from that is not above ``rate``."""
    power = Fraction(1)
    while power / 10 > rate:
        power /= 10
    options = [power / digits for digits in _ROUND] + [power / 10]
    return max((it for it in options if it <= rate), default=options[-1])


def load_of(scenario: Scenario) -> Load:
    """Return what a scenario asks of any machine.

    Raises NetworkError when a span cannot work, or what a strategy sends is not known.
    """
    real = twin_of(_as_it_is(scenario))
    chosen = scenario.workload.strategy
    try:
        exchanges = exchanges_of(real, chosen.name, chosen.options)
    except ValueError as error:
        raise NetworkError(f"emulate: auto cannot choose scales: {error}; state both") from None
    routes = crossings_of(real.graph, scenario.controller.policy, real.initial, real.demands)
    trips = [
        (state.round_trip_ns, change.span)
        for change in real.changes
        if change.kind != "reference"
        for state in (change.real, *(it for _, it in change.trace))
        if state.round_trip_ns
    ]
    rtt_ns, span = min(trips, default=(0, ""))
    ranks, buckets = len(real.graph.workers), math.ceil(real.gradient_bytes / real.bucket_bytes)
    lasting = [it for it in exchanges if it.end is None]
    fails = any(change.kind == "fail" or change.outages for change in real.changes)
    return Load(
        switched_bps=switched_bps(real, exchanges, routes),
        shortest=(span, rtt_ns),
        compute_ns=real.compute_ns,
        rounds=sum(it.messages / 2 / it.every for it in lasting),
        last_rounds=max(
            it.messages / 2 / (it.every if it.every > 1 else buckets) for it in lasting
        ),
        message_bytes=min(real.gradient_bytes, real.bucket_bytes) / (2 * ranks),
        packet_bytes=scenario.network.mtu,
        timers=fails or any(real.outages.values()) or any(way.mean_loss for way in real.states),
        run_ns=_run_ns(scenario, real, exchanges, routes),
    )


def _as_it_is(scenario: Scenario) -> Scenario:
    """Return a scenario whose twin is the real system."""
    real = scenario.emulate.model_copy(
        update={"bytes_": Fraction(1), "time_": Fraction(1), "connections": None}
    )
    return scenario.model_copy(update={"emulate": real})


def switched_bps(twin: Twin, exchanges: list[Exchange], routes: Crossings) -> int:
    """Return what workers send at full rate, each times the switches between spans on its way."""
    passed: dict[str, int] = defaultdict(int)
    for sender, receiver, _ in (flow for exchange in exchanges for flow in exchange.flows):
        spans = routes.get((sender.campus, receiver.campus), ())
        passed[sender.name] = max(passed[sender.name], len(spans) + 1)
    return sum(twin.access_bps[name] * switches for name, switches in passed.items())


def _run_ns(scenario: Scenario, real: Twin, exchanges: list[Exchange], routes: Crossings) -> float:
    """Return about how long a run lasts: of each step its compute, or its slowest span."""
    crossed: dict[tuple[str, int], float] = defaultdict(float)
    for exchange in exchanges:
        for sender, receiver, moved in exchange.flows:
            for hop in routes.get((sender.campus, receiver.campus), ()):
                crossed[hop] += moved / exchange.every
    total, states, done = 0.0, dict[str, Duplex](), 0
    for step, changed in _phases(real):
        total += (step - done) * _step_ns(real, crossed, states)
        states, done = states | changed, step
    return total + (scenario.workload.steps - done) * _step_ns(real, crossed, states)


def _phases(real: Twin) -> Iterator[tuple[int, dict[str, Duplex]]]:
    """Yield the steps at which spans change, and what to; outages are left out."""
    for change in real.changes:
        yield change.step, {change.span: change.real}


def _step_ns(
    real: Twin, crossed: Mapping[tuple[str, int], float], states: Mapping[str, Duplex]
) -> float:
    busy_ns = [
        8e9 * moved / states.get(span, real.reference).ways[way].rate_bps
        for (span, way), moved in crossed.items()
    ]
    return max([real.compute_ns, *busy_ns])


def _rate_words(load: Load, carrying: Carrying, allowed: Fraction, stated: bool) -> str:
    if stated:
        return "as stated"
    carried = carrying.switched_bps(load.packet_bytes)
    return (
        f"all workers together ask {render(load.switched_bps, 'rate')} of the switches; "
        f"those of {carrying.machine} carry {render(carried, 'rate')}, of which training may take "
        f"{HEADROOM}, so rates become {round_down(min(allowed, Fraction(1)))} of the real ones"
    )


def _time_words(decisive: list[str], stated: bool, index: int) -> str:
    if stated:
        return "as stated"
    if not index or not decisive:
        return "nothing asks for more"
    return "; ".join(decisive)
