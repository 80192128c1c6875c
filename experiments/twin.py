"""The emulated twin: every real quantity of a scenario at its byte and time scale. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from controller import policies
from controller.errors import PolicyError
from controller.routes import Demand, Marks
from experiments.carrying import Carrying
from experiments.changes import Change, campus_grade_of, changes_of, drawn_outages
from experiments.computespec import variation_of
from experiments.emulatespec import EmulateSpec
from experiments.legs import Move
from experiments.outages import Interval, states_through
from experiments.scaling import host_tcp, timeout_ns
from experiments.scenario import DemandSpec, Scenario
from experiments.strategyoptions import check_emulated, emulated
from experiments.timeline import MOVES, SPANS
from topologies.errors import NetworkError
from topologies.graph import Graph, build_graph
from topologies.linkstate import Duplex, LinkState
from topologies.tcp import HostTcp
from topologies.units import render
from workloads import tasks
from workloads.option import Value
from workloads.sizes import Sized
from workloads.variation import Variation


@dataclass(frozen=True)
class Action:
    """What happens to routing or to ranks before a step, and to what: see `timeline.DONE`."""

    step: int
    kind: str
    target: str


@dataclass(frozen=True)
class Strategy:
    """What ranks train by from a step on, with all of its options at the emulated scale."""

    step: int
    name: str
    options: Mapping[str, Value]


@dataclass(frozen=True)
class Pause:
    """How long (emulated ns) no rank begins a step."""

    step: int
    lasts_ns: int


@dataclass(frozen=True)
class Twin:
    """What is built and trained.

    Attributes:
        graph: nodes, ports and addresses.
        reference: emulated state of every span in the reference phase.
        changes: what happens to the spans, in order.
        access_bps: emulated wire rate of each worker's access link, by host name.
        model: that is trained, whose gradients are the twin's.
        bucket_bytes, compute_ns: of one emulated step, the latter the mean at speed 1.
        speeds: by rank, of its accelerators.
        variation: of compute time.
        tcp: what every host's TCP is told.
        timeout_ns: how long a collective may take.
        actions: what happens to routing and to ranks, in order.
        strategies: what is trained by, in turn.
        pauses: in order.
        recovery: what becomes of training when ranks are lost; see `WorkloadSpec`.
        demands: what policies may plan for.
        because: why the scales were chosen, a sentence each; none where the scenario states them.
        carrying: the machine's figures that they were chosen by.
        outages: drawn ones by span, as ``(begin, end)`` in emulated ns since the spans are aged.
    """

    graph: Graph
    reference: Duplex
    changes: tuple[Change, ...]
    access_bps: dict[str, int]
    model: Sized
    bucket_bytes: int
    compute_ns: int
    speeds: tuple[float, ...]
    variation: Variation
    outages: Mapping[str, tuple[Interval, ...]]
    tcp: HostTcp
    timeout_ns: int
    strategies: tuple[Strategy, ...]
    actions: tuple[Action, ...] = ()
    pauses: tuple[Pause, ...] = ()
    recovery: str = "none"
    demands: tuple[Demand, ...] = ()
    because: tuple[str, ...] = ()
    carrying: Carrying | None = None

    @property
    def gradient_bytes(self) -> int:
        """Return the bytes of gradients of one emulated step: what the model really has."""
        return self.model.gradient_bytes

    @property
    def sites(self) -> list[str]:
        """The campus of each rank."""
        return [host.campus for host in self.graph.workers]

    @property
    def moves(self) -> list[Move]:
        """Which campuses leave and join, in order."""
        return [Move(it.step, it.kind, it.target) for it in self.actions if it.kind in MOVES]

    def strategy_at(self, step: int) -> Strategy:
        """Return what a step is trained by."""
        return next(it for it in reversed(self.strategies) if it.step <= step)

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
        coming = [outage for outage in rest if outage[1] > 0]
        usual = change.emulated
        if change.faded:
            states = states_through(change.outages, usual, change.down)
            states += states_through(coming, usual, change.faded)
            states.sort(key=lambda at: at[0])
        else:
            states = states_through([*change.outages, *coming], usual, change.down)
        return [(0, usual), *states] if states else []


def twin_of(scenario: Scenario) -> Twin:
    """Derive the emulated twin.

    Raises NetworkError when a span cannot work, or a quantity vanishes at the chosen scale.
    """
    network, scale = scenario.network, scenario.emulate
    fabrics = {name: campus.fabric for name, campus in network.campuses.items()}
    graph = build_graph(network)
    changes: list[Change] = []
    for span in network.spans:
        changes += changes_of(span, scenario)
    outages = {span: drawn_outages(span, scenario) for span in network.spans}
    gradient_bytes = int(scenario.workload.gradients * scale.bytes) // 4 * 4
    if gradient_bytes < 4096:
        raise NetworkError(
            f"workload.gradients: {render(scenario.workload.gradients, 'size')} become "
            f"{gradient_bytes} B when emulated; choose a larger emulate.bytes"
        )
    compute_ns = int(scenario.workload.compute * scale.time)
    if compute_ns < 1:
        raise NetworkError(
            f"workload.compute: {render(scenario.workload.compute, 'duration')} vanish when "
            "emulated; choose a larger emulate.time"
        )
    bucket_bytes = max(1024, int(scenario.workload.bucket * scale.bytes))
    twin = Twin(
        graph=graph,
        reference=campus_grade_of(scenario).scaled(scale.bytes, scale.time),
        changes=tuple(sorted(changes, key=lambda change: change.step)),
        access_bps={
            host.name: int(fabrics[host.campus].rate * scale.bytes / scale.time)
            for host in graph.hosts
        },
        model=_model(scenario, gradient_bytes, bucket_bytes),
        bucket_bytes=bucket_bytes,
        compute_ns=compute_ns,
        speeds=tuple(speed for campus in network.campuses.values() for speed in campus.speeds),
        variation=variation_of(scenario.workload.computing, scenario.workload.stragglers),
        outages=outages,
        tcp=host_tcp(scenario),
        timeout_ns=timeout_ns(scenario),
        actions=tuple(
            Action(event.at, event.kind, event.target)
            for event in scenario.timeline
            if event.kind not in SPANS
        ),
        strategies=tuple(
            Strategy(step, it.name, emulated(it.name, it.options, scale.bytes))
            for step, it, _ in scenario.strategies
        ),
        pauses=tuple(
            Pause(event.at, int(event.pause * scale.time))
            for event in scenario.timeline
            if event.pause is not None
        ),
        recovery=scenario.workload.recovery,
        demands=tuple(_demand(demand, scale) for demand in scenario.controller.demands),
    )
    if twin.demands:
        _check_demands(scenario, twin)
    for chosen, it in zip(scenario.strategies, twin.strategies, strict=True):
        sizes = twin.gradient_bytes, twin.bucket_bytes
        check_emulated(chosen.where, it.name, twin.sites, *sizes, it.options)
    return twin


def _model(scenario: Scenario, gradient_bytes: int, bucket_bytes: int) -> Sized:
    """Return the task's model of about that size; raises NetworkError where there is none."""
    task = scenario.workload.task
    try:
        return tasks.sized(task.name, task.options, gradient_bytes, bucket_bytes)
    except ValueError as error:
        raise NetworkError(f"workload.task: {error}") from None


def _check_demands(scenario: Scenario, twin: Twin) -> None:
    """Raise NetworkError where a policy that is to route cannot do with the demands."""
    links = {span: duplex.worse for span, duplex in twin.initial.items()}
    later = [action.target for action in twin.actions if action.kind == "policy"]
    for name in dict.fromkeys([scenario.controller.policy, *later]):
        try:
            policies.load(name)(twin.graph, links, twin.demands)
        except PolicyError as error:
            raise NetworkError(f"controller.demands: {name}: {error}") from None


def _demand(demand: DemandSpec, scale: EmulateSpec) -> Demand:
    rate_bps = None if demand.rate is None else max(1, int(demand.rate * scale.bytes / scale.time))
    marked = demand.dscp is not None or demand.ports
    return Demand(
        demand.source,
        demand.target,
        rate_bps,
        demand.over,
        Marks(demand.dscp, demand.ports) if marked else None,
    )
