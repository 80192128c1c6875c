"""What an upgrade set is worth: its predicted coherence, outages included. Pure.

Predicted at the scale of the twin, where segments, windows and packets are those that gloo and TCP
have. The real system behaves alike as far as it keeps the groups of `experiments.similarity`: if it
has as many connections in parallel as the twin is smaller, for one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import islice, product

import numpy as np
from numpy.typing import NDArray

from controller.routes import Demand
from experiments import model
from experiments.coherence import COHERENT
from experiments.outages import failed_state
from experiments.planner.crossings import Crossings, CutOff, crossings_of, seen_by
from experiments.planner.options import Option
from experiments.planner.search import Indices
from experiments.planner.slowest import slowest_compute_s
from experiments.scenario import Scenario
from experiments.twin import Twin
from topologies.errors import NetworkError
from topologies.graph import Graph
from topologies.linkstate import Duplex, LinkState
from topologies.tcp import INITIAL_WINDOW, RTO_MIN_NS, WINDOW_BYTES

MOST_ROUTINGS = 4096
"""Combinations of delays whose routes are looked at for a bound."""


@dataclass(frozen=True)
class Outlook:
    """What is predicted of one upgrade set.

    Attributes:
        coherence, low, high: over the years, outages included, with a 95 % interval.
        while_up: while no span is down; what an emulation without outages measures.
        dominant: what takes most of the time that is lost: compute, bandwidth, latency, loss,
            window or outage.
        step_s: emulated seconds of a step while no span is down.
    """

    coherence: float
    low: float
    high: float
    while_up: float
    dominant: str
    step_s: float


@dataclass(frozen=True)
class Worth:
    """Evaluates upgrade sets of spans, in the order in which the options are given.

    Attributes:
        job: what the twin trains.
        graph: of campuses and spans.
        policy: that routes the traffic.
        reference: a span of the twin as good as a campus.
        emulate: gives the twin of a real state.
        options: by span, their states real.
        ducts: of the spans that share one.
        demands: what the policy may plan for.
    """

    job: model.Job
    graph: Graph
    policy: str
    reference: Duplex
    emulate: Callable[[Duplex], Duplex]
    options: Mapping[str, Sequence[Option]]
    ducts: Mapping[str, str]
    demands: tuple[Demand, ...] = ()

    def coherences(self, sets: Indices) -> NDArray[np.float64]:
        """Return the long-run coherence of sets, ``(m,)``, from an index per span, ``(m, s)``."""
        up = self.while_up(sets)
        found = up.copy()
        for unit, spans in self._units.items():
            share = self._unavailability(unit, sets)
            if not share.any():
                continue
            found += share * (self._without(spans, sets) - up)
        clipped: NDArray[np.float64] = np.clip(found, 0.0, None)
        return clipped

    def while_up(self, sets: Indices) -> NDArray[np.float64]:
        """Return the coherence of sets while no span is down, ``(m,)``."""
        steps, _ = model.predict_sets(self.job, self.routes, self._states, sets, self._seen)
        coherences: NDArray[np.float64] = self.reference_s / steps
        return coherences

    def outlook(self, indices: Sequence[int]) -> Outlook:
        """Return all that is predicted of one set."""
        sets = np.array([indices])
        states = self._emulated(self.states(indices))
        seen = model.predict(self.job, self.routes(states), states)
        coherence = float(self.coherences(sets)[0])
        up = self.reference_s / seen.step_s
        terms = {cause: term for cause, term in seen.terms.items() if cause != "compute"}
        dominant: str = max(terms, key=lambda cause: terms[cause])
        if seen.terms["compute"] > 0 and up >= COHERENT:
            dominant = "compute"  # communication hides behind it
        if up - coherence > max(0.0, 1 - up):
            dominant = "outage"
        return Outlook(
            coherence=coherence,
            low=float(coherence * seen.step_s / seen.high_s),
            high=float(min(1.0, coherence * seen.step_s / seen.low_s)),
            while_up=up,
            dominant=dominant,
            step_s=seen.step_s,
        )

    def best_possible(self, chosen: Sequence[int]) -> float:
        """Return what no completion can exceed, over every routing that completions may bring."""
        states = {}
        for span, index in zip(self.options, chosen, strict=False):
            states[span] = self._states[span][index]
        for span in list(self.options)[len(chosen) :]:
            states[span] = _ideal(self._states[span])
        routings = self._every_routing
        if routings is None:
            return 1.0
        steps = [model.predict(self.job, crossings, states).step_s for crossings in routings]
        return self.reference_s / min(steps)

    def states(self, indices: Sequence[int]) -> dict[str, Duplex]:
        """Return the spans' real states under a set."""
        pairs = zip(self.options.items(), indices, strict=True)
        return {span: choices[index].state for (span, choices), index in pairs}

    def routes(self, states: Mapping[str, Duplex]) -> Crossings:
        """Return the crossings under the policy; raises `CutOff`."""
        return _routes(self.graph, self.policy, tuple(states.items()), self.demands)

    @cached_property
    def reference_s(self) -> float:
        """Return the seconds of a step with every span as good as a campus."""
        states = dict.fromkeys(self.options, self.reference)
        return model.predict(self.job, self.routes(states), states).step_s

    @cached_property
    def _states(self) -> dict[str, list[Duplex]]:
        return {
            span: [self.emulate(it.state) for it in choices]
            for span, choices in self.options.items()
        }

    def _seen(self, way: LinkState) -> Hashable:
        return seen_by(self.policy, way)

    def _emulated(self, states: Mapping[str, Duplex]) -> dict[str, Duplex]:
        return {span: self.emulate(state) for span, state in states.items()}

    @cached_property
    def _units(self) -> dict[str, list[str]]:
        """Return what fails together: the spans of a duct, or one span."""
        units: dict[str, list[str]] = {}
        for span in self.options:
            units.setdefault(self.ducts.get(span, span), []).append(span)
        return units

    def _unavailability(self, unit: str, sets: Indices) -> NDArray[np.float64]:
        shares = []
        for column, (span, choices) in enumerate(self.options.items()):
            if span in self._units[unit]:
                shares.append(np.array([it.unavailability for it in choices])[sets[:, column]])
        worst: NDArray[np.float64] = np.max(shares, axis=0)
        return worst

    def _without(self, spans: Sequence[str], sets: Indices) -> NDArray[np.float64]:
        """Return the coherence while spans are down: 0 where a campus is then cut off."""
        states = dict(self._states)
        for span in spans:
            states[span] = [failed_state(state, None) for state in states[span]]
        try:
            steps, _ = model.predict_sets(self.job, self.routes, states, sets, self._seen)
        except CutOff:
            return np.zeros(len(sets))
        return self.reference_s / steps

    @cached_property
    def _every_routing(self) -> list[Crossings] | None:
        """Return every way in which traffic may be routed, or None where they are too many."""
        differing = [
            {tuple(map(self._seen, state.ways)): state for state in states}.values()
            for states in self._states.values()
        ]
        combinations = product(*differing)
        routings = {}
        for states in islice(combinations, MOST_ROUTINGS):
            crossings = self.routes(dict(zip(self.options, states, strict=True)))
            routings[tuple(sorted(crossings.items()))] = crossings
        return None if next(combinations, None) else list(routings.values())


def job_of(scenario: Scenario, twin: Twin) -> model.Job:
    """Return what a twin trains; raises NetworkError for a strategy that has no model."""
    network, chosen = scenario.network, scenario.workload.strategy
    periodic = chosen.name in ("local-sgd", "diloco")  # a ring all-reduce, at times
    period = int(chosen.options["every"]) if periodic else 1
    compute_s = slowest_compute_s(twin.compute_ns / 1e9, twin.variation, twin.speeds, period)
    try:
        return model.Job(
            sites=tuple(host.campus for host in twin.graph.workers),
            gradient_bytes=twin.gradient_bytes // (2 if chosen.options.get("half") else 1),
            bucket_bytes=twin.bucket_bytes,
            compute_s=compute_s,
            strategy="ddp" if periodic else chosen.name,  # type: ignore[arg-type]
            period=period,
            overlap=bool(chosen.options.get("overlap", True)),
            congestion_control=network.congestion_control,
            access_bps=min(twin.access_bps.values()),
            mtu=network.mtu,
            overhead_s=model.TWIN_OVERHEAD_S,
            layers=twin.model.layer_bytes,
            window_bytes=twin.tcp.window_bytes or WINDOW_BYTES,
            rto_min_s=(twin.tcp.rto_min_ns or RTO_MIN_NS) / 1e9,
            initial_window=twin.tcp.initial_window or INITIAL_WINDOW,
        )
    except ValueError as error:
        raise NetworkError(f"workload.strategy: {error}") from None


@lru_cache(maxsize=65_536)
def _routes(
    graph: Graph,
    policy: str,
    states: tuple[tuple[str, Duplex], ...],
    demands: tuple[Demand, ...],
) -> Crossings:
    return crossings_of(graph, policy, dict(states), demands)


def _ideal(states: Sequence[Duplex]) -> Duplex:
    """Return a state as good as the best of others in every respect."""
    ways = []
    for index in (0, 1):
        each = [state.ways[index] for state in states]
        ways.append(
            replace(
                min(each, key=lambda way: way.mean_loss),
                rate_bps=max(way.rate_bps for way in each),
                delay_ns=min(way.delay_ns for way in each),
            )
        )
    return Duplex(*ways)
