"""The emulated twin: every real quantity of a scenario at its byte and time scale. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

from experiments.scenario import Scenario, load_scenario
from topologies.errors import NetworkError
from topologies.files import FileError
from topologies.graph import Graph, build_graph
from topologies.linkstate import Duplex, LinkState
from topologies.spans import campus_grade, span_states, traced
from topologies.units import render


@dataclass(frozen=True)
class Change:
    """A span's state from a step on; ``kind`` is ``age`` at the end of the reference phase.

    ``trace`` holds the emulated states that follow it by themselves, by their offset in ns.
    """

    step: int
    kind: str
    span: str
    upgrade: str | None
    real: Duplex
    emulated: Duplex
    trace: tuple[tuple[int, Duplex], ...] = ()

    @property
    def states(self) -> tuple[Duplex, ...]:
        """Every emulated state that this change brings, in order."""
        return (self.emulated, *(state for _, state in self.trace))


@dataclass(frozen=True)
class Twin:
    """What is built and trained.

    Attributes:
        graph: nodes, ports and addresses.
        reference: emulated state of every span in the reference phase.
        changes: what happens to the spans, in order.
        access_bps: emulated wire rate of each worker's access link, by host name.
        gradient_bytes, bucket_bytes, compute_ns: of one emulated step.
    """

    graph: Graph
    reference: Duplex
    changes: tuple[Change, ...]
    access_bps: dict[str, int]
    gradient_bytes: int
    bucket_bytes: int
    compute_ns: int

    @property
    def states(self) -> list[LinkState]:
        """Every emulated state that any way of any span comes to."""
        changed = chain(*(change.states for change in self.changes))
        return [way for duplex in (self.reference, *changed) for way in duplex.ways]

    @property
    def initial(self) -> dict[str, Duplex]:
        """Emulated state of every span after the reference phase and before any upgrade."""
        return {change.span: change.emulated for change in self.changes if change.kind == "age"}

    @property
    def final(self) -> dict[str, Duplex]:
        """Emulated state of every span at the end of the run."""
        return {change.span: change.states[-1] for change in self.changes}

    @property
    def traces(self) -> dict[str, tuple[Duplex, ...]]:
        """Emulated states of the spans that change by themselves."""
        return {change.span: change.states for change in self.changes if change.trace}


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
    upgrades = {
        span: [event for event in scenario.timeline if event.upgrade == span]
        for span in network.spans
    }
    for span, spec in network.spans.items():
        applied = [event.with_ for event in upgrades[span]]
        states = span_states(span, spec, applied, scenario.seed, network.mtu)
        moments = [scenario.workload.reference_steps, *(event.at for event in upgrades[span])]
        for step, upgrade, real in zip(moments, [None, *applied], states, strict=True):
            try:
                emulated = real.scaled(scale.bytes, scale.time)
                trace = [] if upgrade else traced(spec, real)
                later = tuple(
                    (int(after_ns * scale.time), state.scaled(scale.bytes, scale.time))
                    for after_ns, state in trace
                )
            except NetworkError as error:
                raise NetworkError(f"network.spans.{span}: {error}") from None
            kind = "upgrade" if upgrade else "age"
            changes.append(Change(step, kind, span, upgrade, real, emulated, later))
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
    )


def expected_span_bytes(
    twin: Twin, routes: Mapping[str, Mapping[str, list[str] | None]]
) -> dict[str, list[float]]:
    """Return the gradient bytes that one ring all-reduce moves over each span, by direction.

    A ring of n ranks sends 2 (n - 1) / n of the gradients from each rank to the next; ``routes``
    gives the nodes on the path between two hosts. ``[first to second campus, second to first]``.
    """
    workers = twin.graph.workers
    per_edge = 2 * (len(workers) - 1) / len(workers) * twin.gradient_bytes
    expected = {span: [0.0, 0.0] for span in twin.graph.spans}
    ends = {(link.a, link.b): span for span, link in twin.graph.spans.items()}
    for index, sender in enumerate(workers):
        # gloo's ring: each rank sends to the one before it and receives from the one after.
        receiver = workers[index - 1]
        path = routes[sender.name][receiver.name] or []
        for a, b in pairwise(path):
            if (a, b) in ends:
                expected[ends[a, b]][0] += per_edge
            elif (b, a) in ends:
                expected[ends[b, a]][1] += per_edge
    return expected
