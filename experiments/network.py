"""The running network as the runner sees it: spans to set, to measure and to count."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from controller.client import ControllerClient
from controller.intent import Intent
from experiments import fidelity
from experiments.attach import describe
from experiments.components import Component
from experiments.heartbeat import Heartbeat
from experiments.probing import (
    RoundTrips,
    intended_round_trip_ns,
    round_trips,
    trains,
    typical,
)
from experiments.processstate import process_of
from experiments.scenario import Scenario
from experiments.supervision import SupervisedController
from experiments.twin import Action, Twin
from experiments.vitals import Vitals, watched
from topologies.emulation import isolation
from topologies.emulation.backends import open_impairer
from topologies.emulation.capabilities import Capabilities
from topologies.emulation.errors import EmulationError
from topologies.emulation.impairer import Counters, Impairer
from topologies.emulation.kernel import private_network
from topologies.emulation.lab import Access, Lab
from topologies.emulation.ovs import open_vswitch
from topologies.emulation.priority import urgent_soft_interrupts, wakeful_processors
from topologies.linkstate import Duplex, LinkState, Loss

READY_TIMEOUT_S, SETTLE_TIMEOUT_S = 20.0, 10.0
BOUTS, BOUT_GAP_S = 5, 0.3
"""How often round trips are measured when they are off at first, and the pause in between: other
work on the machine slows its switches down for a second or two."""


@dataclass
class Network:
    """A lab, its impairer and its controller, kept in step.

    Attributes:
        floor: what the switches add to a round trip across each span.
        foreign_before: how often others had changed rules before the run that is under way.
        outside: a descriptor of the machine's own network.
        allowed: the states that each span may be in now, by what was asked for last.
        vitals: who sees to it that its components live.
    """

    lab: Lab
    impairer: Impairer
    supervised: SupervisedController
    access_bps: int
    vitals: Vitals
    floor: dict[str, RoundTrips] = field(default_factory=dict)
    foreign_before: int = 0
    outside: int = -1
    allowed: dict[str, tuple[Duplex, ...]] = field(default_factory=dict)

    @property
    def controller(self) -> ControllerClient:
        """The controller's client."""
        return self.supervised.client

    def set_spans(self, states: Mapping[str, Duplex]) -> None:
        """Put spans into new states and tell the controller.

        What the switches cost is taken off the delay that a span adds. Raises ImpairmentError when
        a state is not in force afterwards, ControllerError when its rules are not.
        """
        for span, duplex in states.items():
            self.impairer.apply(span, self._compensated(span, duplex))
            self.allowed[span] = (duplex,)
        told = {span: duplex.worse for span, duplex in states.items()}
        self.supervised.ask(lambda controller: controller.set_links(told))

    def renew(self, states: Mapping[str, Duplex], seed: int) -> None:
        """Put spans into states, as if the network had just been built for another run.

        What its switches cost is still known. Raises what `set_spans` does.
        """
        self.foreign_before = self.supervised.ask(ControllerClient.health).foreign_changes
        self.supervised.restarts = 0
        self.impairer.reseed(seed)
        self.lab.forget()
        self.set_spans(states)

    def replay(self, span: str, trace: Sequence[tuple[int, Duplex]], begin_ns: int) -> None:
        """Let a span change by itself; see `Impairer.replay`. The controller is not told."""
        added = [(offset_ns, self._compensated(span, duplex)) for offset_ns, duplex in trace]
        self.impairer.replay(span, added, begin_ns)
        self.allowed[span] += tuple(duplex for _, duplex in trace)

    def act(self, action: Action) -> None:
        """Change routing; raises ControllerError when its rules are not in force afterwards."""
        tell: dict[str, Callable[[ControllerClient, str], object]] = {
            "drain": ControllerClient.drain,
            "undrain": ControllerClient.undrain,
            "policy": ControllerClient.set_policy,
        }
        self.supervised.ask(lambda controller: tell[action.kind](controller, action.target))

    def _compensated(self, span: str, duplex: Duplex) -> Duplex:
        floor_ns = int(self.floor[span].median_ns) if span in self.floor else 0
        ways = [replace(way, delay_ns=max(0, way.delay_ns - floor_ns // 2)) for way in duplex.ways]
        return Duplex(*ways)

    def calibrate(self, states: Mapping[str, Duplex]) -> None:
        """Put spans into states, having measured what the switches add to just these delays."""
        self.floor.clear()
        plain = {span: Duplex(*map(_undisturbed, duplex.ways)) for span, duplex in states.items()}
        self.set_spans(plain)
        self.settle()
        for span, seen in round_trips(self.lab).items():
            added_ns = max(0.0, seen.median_ns - intended_round_trip_ns(plain[span]))
            self.floor[span] = replace(seen, median_ns=added_ns)
        self.set_spans(states)

    def settle(self) -> None:
        """Wait until switches have nothing more to change: packets would wait meanwhile."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        while self.supervised.ask(ControllerClient.health).retiring and time.monotonic() < deadline:
            time.sleep(0.05)

    def measure(self, when: str, states: Mapping[str, Duplex]) -> list[fidelity.Check]:
        """Compare round trip, rate and loss of every span with the state it should be in."""
        return self.measure_delays(when, states) + self.measure_rates(when, states)

    def measure_delays(self, when: str, states: Mapping[str, Duplex]) -> list[fidelity.Check]:
        """Compare the round trip of every span with its state; the spans must be calibrated."""
        self.settle()
        seen = self._round_trips(states)
        checks = []
        for span, state in states.items():
            floor = self.floor[span]
            checks.append(fidelity.check_floor(when, span, state, floor))
            checks.append(fidelity.check_delay(when, span, state, floor, seen[span]))
        return checks

    def measure_rates(self, when: str, states: Mapping[str, Duplex]) -> list[fidelity.Check]:
        """Compare rate and loss of both directions of every span with its state."""
        before = self.impairer.counters()
        found = trains(self.lab, states, self.access_bps)
        after = self.impairer.counters()
        checks = []
        for span, state in states.items():
            for index, direction in enumerate(("forward", "backward")):
                train, way = found[span][index], state.ways[index]
                subject = f"{span} {direction} {when}"
                checks.append(fidelity.check_rate(subject, way, self.access_bps, train))
                passed = train.sent
                if self.impairer.tells_drops_apart or not way.loss:
                    now, then = after[span][index], before[span][index]
                    passed -= now.queue_drops + now.early_drops
                    passed += then.queue_drops + then.early_drops
                checks.append(fidelity.check_train_loss(subject, way, passed, train))
        return checks

    def _round_trips(self, states: Mapping[str, Duplex]) -> dict[str, RoundTrips]:
        """Ping across the spans: once, or where that is off, until a typical bout is known."""
        bouts = [round_trips(self.lab)]
        found = [
            fidelity.check_delay("", span, state, self.floor[span], bouts[0][span])
            for span, state in states.items()
        ]
        while len(bouts) < BOUTS and not all(check.ok for check in found):
            time.sleep(BOUT_GAP_S)
            bouts.append(round_trips(self.lab))
        return {span: typical([bout[span] for bout in bouts]) for span in states}

    def ways_out(self) -> list[str]:
        """Say how packets could leave the network; nothing where they cannot, as it must be."""
        return isolation.ways_out(self.lab, self.outside)

    def counters(self) -> dict[str, tuple[Counters, Counters]]:
        """Return the spans' counters; raises ImpairmentError when a span's engine is gone."""
        return self.impairer.counters()


def _undisturbed(state: LinkState) -> LinkState:
    """Return a state without its random parts, in which the switches can be measured."""
    return replace(state, loss=Loss(), jitter=None, duplicate=0, corrupt=0, reorder=0, red=None)


def _keepers(lab: Lab, hosts: Iterable[str]) -> dict[str, int]:
    """Return what keeps hosts' networks: processes, by what they are called.

    One may keep several, a thread for each.
    """
    kept: dict[int, list[str]] = {}
    for host in hosts:
        kept.setdefault(process_of(lab.pid(host)), []).append(host)
    named = {}
    for pid, (first, *others) in kept.items():
        more = f" and of {len(others)} others" if others else ""
        named[f"what keeps the network of {first}{more}"] = pid
    return named


@contextmanager
def running_network(
    twin: Twin,
    machine: Capabilities,
    scenario: Scenario,
    *,
    folder: Path,
    logs: Path,
    wired: bool = False,
    places: Mapping[str, int] | None = None,
) -> Iterator[Network]:
    """Build the twin in a network namespace of its own, every span in its initial state.

    ``places`` are the processes of hosts that run already; see `Lab`.

    Its components are watched from the first on; see `Vitals`. Raises MachineError, EmulationError
    or RunFailed, naming the component that did not come up or died.
    """
    graph, intent = folder / "graph.json", folder / "intent.json"
    graph.write_text(twin.graph.to_json())
    told = {span: duplex.worse for span, duplex in twin.initial.items()}
    Intent(scenario.controller.policy, told, twin.demands).write(intent)
    with ExitStack() as stack, watched() as vitals:
        outside = stack.enter_context(private_network())
        stack.enter_context(wakeful_processors())
        stack.enter_context(urgent_soft_interrupts(folder))
        controller = SupervisedController(graph, intent, logs / "controller.log")
        stack.enter_context(controller)
        vitals.watch(Component("controller", "the controller"), lambda: controller.pid)
        switches = stack.enter_context(open_vswitch(folder / "ovs"))
        for name, pid in switches.pids.items():
            vitals.watch(Component(name, name), pid)
        mtu = scenario.network.mtu
        impairer = open_impairer(machine.impairer, twin.graph.spans, mtu, scenario.seed)
        stack.callback(impairer.close)
        lab = Lab(
            twin.graph,
            impairer.cables,
            {host: Access(rate_bps, mtu) for host, rate_bps in twin.access_bps.items()},
            datapath=machine.datapath,
            vswitchd_pid=switches.vswitchd_pid,
            openflow_port=lambda: controller.openflow_port,
            congestion_control=scenario.network.congestion_control,
            tcp=twin.tcp,
            wired=wired,
            places=places,
        )
        stack.enter_context(lab)
        # A host that is a container has somebody who looks after it already.
        empty = [host.name for host in lab.graph.hosts if host.name not in (places or {})]
        for name, pid in _keepers(lab, empty).items():
            vitals.watch(Component("network of a host", name), pid)
        access_bps = min(twin.access_bps.values())
        network = Network(lab, impairer, controller, access_bps, vitals, outside=outside)
        if found := network.ways_out():
            raise EmulationError(f"the network is not closed: {'; '.join(found)}")
        controller.ask(lambda it: it.wait_ready(READY_TIMEOUT_S))
        describe(folder, scenario.name, lab, controller.client.port)
        network.set_spans(twin.initial)
        for span, pid in impairer.processes().items():
            vitals.watch(Component("relay", f"the relay of span {span}"), pid)
        for name, control in switches.controls.items():
            vitals.listen(Component(name, name), Heartbeat(control))
        yield network
