"""Puts one back end, in a running network, through every case; writes what was found as JSON.

Run as a script: ``lab.py FILE IMPAIRER DATAPATH LOGS [brief]``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from experiments.network import Network, running_network
from experiments.twin import twin_of
from tests.conformance.agent import HEADERS
from tests.conformance.astray import astray
from tests.conformance.cases import (
    BRIEF,
    CASES,
    CAUGHT_NS,
    LIVE,
    LIVE_CHANGES,
    LIVE_FLOW,
    LIVE_GAP_S,
    MS,
    PLAIN,
    THIN,
    TRACE,
    TRACE_STEP_NS,
    Case,
    Flow,
)
from tests.conformance.draws import drawn
from tests.conformance.light import flickered
from tests.fakes.scenarios import scenario_of, tiny
from topologies.emulation.backends import BackEnd
from topologies.emulation.capabilities import probe
from topologies.emulation.errors import ImpairmentError
from topologies.emulation.ownership import owned_folder
from topologies.linkstate import Duplex, LinkState

SPAN = "west-east"
AGENT = Path(__file__).with_name("agent.py")
LATE_NS, STEADY, TAKES = MS, 0.03, 2
"""A case in which senders were late with more than that share of their frames is taken again."""
SETTLE_S = 0.15
"""Longer than whatever a frame waits for that is not in its state's delay and queue."""


class Lab:
    """A running network with an agent at each end of its span."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.ends = network.lab.graph.probers(SPAN)
        self.agents = [
            network.lab.popen(
                host.name,
                [sys.executable, "-I", str(AGENT), host.ip],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for host in self.ends
        ]

    def ask(self, end: int, do: str, **arguments: Any) -> Any:
        """Have an agent do something; return its answer."""
        agent = self.agents[end]
        assert agent.stdin is not None and agent.stdout is not None, "opened as pipes"
        agent.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        agent.stdin.flush()
        return json.loads(agent.stdout.readline())

    def apply(self, duplex: Duplex) -> None:
        self.network.impairer.apply(SPAN, duplex)

    def flow(
        self, flow: Flow, longest_s: float, sent: Callable[[], None] = lambda: None
    ) -> dict[str, Any]:
        """Send a flow, call ``sent``; return what left one host and what reached the other."""
        source, sink = (1, 0) if flow.backward else (0, 1)
        self.ask(source, "arm")
        self.ask(sink, "arm")
        peer = self.ends[sink].ip
        how = {"count": flow.count, "length": flow.length, "gap_ns": flow.gap_ns}
        self.ask(source, "send", peer=peer, tos=flow.tos, **how)
        sent()
        time.sleep(longest_s + SETTLE_S)
        left = self.ask(source, "collect", quiet_s=0.0, raw=flow.raw)
        found = self.ask(sink, "collect", quiet_s=0.05, raw=flow.raw)
        return {**found, "sent": left["sent"]}

    def close(self) -> None:
        for agent in self.agents:
            assert agent.stdin is not None and agent.stdout is not None, "opened as pipes"
            agent.stdin.close()
            agent.wait(timeout=10)
            agent.stdout.close()


def longest_s(state: LinkState, flow: Flow) -> float:
    """Return how long after the last frame was sent one may still be on its way."""
    tail_ns = 25 * state.jitter.deviation_ns if state.jitter else 0
    carried_s = flow.count * (flow.length + HEADERS) * 8 / state.rate_bps
    return max(0.0, carried_s - flow.count * flow.gap_ns / 1e9) + (state.delay_ns + tail_ns) / 1e9


def through_cases(lab: Lab, names: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in names:
        case = CASES[name]
        refusals = [lab.network.impairer.unable(state) for state in case.duplex.ways]
        if reason := next(filter(None, refusals), None):
            raised = ""
            try:
                lab.apply(case.duplex)
            except ImpairmentError as error:
                raised = str(error)
            yield name, {"refused": reason, "raised": raised}
            continue
        lab.apply(case.duplex)
        takes: list[dict[str, Any]] = []
        while len(takes) < TAKES and (not takes or takes[-1]["held_up"] > STEADY):
            takes.append(take(lab, case))
        yield name, min(takes, key=lambda take: float(take["held_up"]))


def take(lab: Lab, case: Case) -> dict[str, Any]:
    """Send the flows of a case; return what came of them, and how much held up the senders."""
    before = lab.network.counters()[SPAN]
    flows = [
        lab.flow(flow, longest_s(case.duplex.ways[flow.backward], flow)) for flow in case.flows
    ]
    after = lab.network.counters()[SPAN]
    counted = [
        {
            key: value - getattr(then, key)
            for key, value in vars(now).items()
            if key not in ("deepest_bytes", "queued_bytes", "read_ns", "lateness")
        }
        for now, then in zip(after, before, strict=True)
    ]
    held_up = max(map(share_held_up, case.flows, flows))
    return {"flows": flows, "counters": counted, "held_up": held_up}


def share_held_up(flow: Flow, found: dict[str, Any]) -> float:
    """Return which share of its frames a sender sent late: a busy machine lets it wait, too."""
    if flow.raw or not flow.gap_ns:
        return 0.0
    behind: list[int] = [stamp - number * flow.gap_ns for number, stamp, _ in found["sent"]]
    return sum(late - min(behind) > LATE_NS for late in behind) / len(behind)


def clock_offset_ns() -> int:
    """Return what the kernel's stamps (CLOCK_REALTIME) are ahead of CLOCK_MONOTONIC."""
    return min(time.time_ns() - time.monotonic_ns() for _ in range(5))


def changed_live(lab: Lab) -> dict[str, Any]:
    """Change rate and delay, up and down, again and again while a flow passes."""
    lab.apply(Duplex.both(LIVE[0]))
    moments: list[tuple[int, int]] = []

    def change() -> None:
        for place in range(1, LIVE_CHANGES + 1):
            time.sleep(LIVE_GAP_S)
            begin_ns = time.time_ns()
            lab.apply(Duplex.both(LIVE[place % len(LIVE)]))
            moments.append((begin_ns, time.time_ns()))

    changer = threading.Thread(target=change)
    changer.start()
    found = lab.flow(LIVE_FLOW, 0.1)
    changer.join()
    return {**found, "moments": moments}


def replayed(lab: Lab) -> dict[str, Any]:
    """Replay a trace while a flow passes."""
    lab.apply(TRACE[0][1])
    begin_ns = time.monotonic_ns() + 100 * MS
    lab.network.replay(SPAN, TRACE, begin_ns)
    count = (len(TRACE) * TRACE_STEP_NS + 200 * MS) // MS
    found = lab.flow(Flow(count, THIN, gap_ns=MS), 0.1)
    lab.network.counters()  # raises what went wrong
    return {**found, "begin_ns": begin_ns + clock_offset_ns()}


def taken_down(lab: Lab) -> dict[str, Any]:
    """Send while the span is up, down, and up again; the controller is told."""
    arrived, flow = [], Flow(50, gap_ns=MS)
    for state in (PLAIN, replace(PLAIN, up=False), PLAIN):
        lab.network.set_spans({SPAN: Duplex.both(state)})
        arrived.append(len(lab.flow(flow, longest_s(state, flow))["seen"]))
    return {"arrived": arrived, "down_drops": lab.network.counters()[SPAN][0].down_drops}


def caught(lab: Lab) -> dict[str, Any]:
    """Take the span down while a flow is under way."""
    far, moments = replace(PLAIN, delay_ns=CAUGHT_NS), []

    def cut() -> None:
        lab.apply(Duplex.both(replace(far, up=False)))
        moments.append(time.time_ns())

    lab.apply(Duplex.both(far))
    found = lab.flow(Flow(50, gap_ns=MS), longest_s(far, Flow(50)), cut)
    return {**found, "cut_ns": moments[0]}


def stray_frames(lab: Lab) -> None:
    """Resolve addresses both ways, which a burst cannot wait for."""
    lab.apply(Duplex.both(PLAIN))
    for backward in (False, True):
        flow = Flow(2, gap_ns=100 * MS, backward=backward)
        lab.flow(flow, longest_s(PLAIN, flow))


@contextmanager
def laid_out(impairer: BackEnd, datapath: str, logs: Path) -> Iterator[Lab]:
    """Run the network with a back end and a datapath."""
    scenario = scenario_of(tiny())
    machine = replace(probe(), spans_by=impairer, kernel_datapath=datapath == "kernel")
    with (
        owned_folder(f"test-{time.monotonic_ns()}") as folder,
        running_network(twin_of(scenario), machine, scenario, folder=folder, logs=logs) as network,
    ):
        network.controller.set_probing(False)  # every frame is counted
        lab = Lab(network)
        try:
            yield lab
        finally:
            lab.close()


def main(out: Path, impairer: BackEnd, datapath: str, logs: Path, brief: bool) -> None:
    found: dict[str, Any] = {}
    spent: dict[str, float] = {}
    begin = time.monotonic()

    def lap(name: str) -> None:
        nonlocal begin
        spent[name], begin = round(time.monotonic() - begin, 2), time.monotonic()

    with laid_out(impairer, datapath, logs) as lab:
        drops = lab.network.lab.unmodelled_drops()
        stray_frames(lab)
        lap("start")
        found["cases"] = {}
        for name, case in through_cases(lab, BRIEF if brief else CASES):
            found["cases"][name] = case
            lap(name)
        found["live"] = changed_live(lab)
        lap("live")
        found["replayed"] = replayed(lab)
        found["down"] = taken_down(lab)
        found["caught"] = caught(lab)
        lap("replayed, down")
        found["light"] = flickered(lab.network.impairer, lab.network.lab.graph, SPAN)
        lap("light")
        found["astray"] = astray(lab.network.impairer, SPAN)
        lap("astray")
        after = lab.network.lab.unmodelled_drops()
        found["unmodelled"] = {
            place: count - drops.get(place, 0)
            for place, count in after.items()
            if count != drops.get(place, 0)
        }
        state = {SPAN: Duplex.both(LinkState(20 * 10**6, 10 * MS, mtu=9000))}
        lab.network.calibrate(state)
        found["checks"] = [asdict(check) for check in lab.network.measure("here", state)]
        lap("checks")
    if impairer == "relay" and not brief:
        found["draws"] = drawn()
    lap("draws")
    found["spent_s"] = spent
    out.write_text(json.dumps(found))


if __name__ == "__main__":
    file, impairer, datapath, logs, *brief = sys.argv[1:]
    main(Path(file), cast(BackEnd, impairer), datapath, Path(logs).resolve(), bool(brief))
