"""Training over spans in many states: what a step takes in each, measured. Needs root."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from typing import Any

from experiments.changes import Change
from experiments.coherence import steps_of_phases, system_steps
from experiments.course import Course
from experiments.fidelity import Check
from experiments.network import Network, running_network
from experiments.outcome import Outcome
from experiments.placement import job_of, write_hosts
from experiments.record import Record
from experiments.runner import train
from experiments.scenario import Scenario
from experiments.training import Training
from experiments.twin import Twin, twin_of
from topologies.emulation.backends import choose_impairer
from topologies.emulation.capabilities import probe
from topologies.emulation.ownership import owned_folder
from topologies.linkstate import Duplex, LinkState, Loss
from topologies.units import render
from workloads.job import Job

NAMES = ("north", "south", "east", "west")
ACCESS_BPS = 400 * 10**6
MTU = 1500
REFERENCE_STEPS = 4


@dataclass(frozen=True)
class Point:
    """The state that every span is put into, and for how many steps.

    Attributes:
        settling: first steps, in which TCP still goes by the state before.
        queue_bytes: of each way; 0 for that of the bandwidth-delay product.
    """

    rtt_ms: float
    loss: float
    rate_mbps: float
    steps: int
    settling: int = 2
    queue_bytes: int = 0

    def state(self, mtu: int) -> Duplex:
        """Return the state of both ways."""
        delay_ns = round(self.rtt_ms * 1e6 / 2)
        rate_bps, loss = round(self.rate_mbps * 1e6), Loss(self.loss)
        return Duplex.both(
            LinkState(rate_bps, delay_ns, loss=loss, mtu=mtu, queue_bytes=self.queue_bytes)
        )


@dataclass(frozen=True)
class Series:
    """A job that trains through some points.

    Attributes:
        campuses: workers of each; every two campuses are joined by a span.
        options: of the strategy.
        order: numbers of the workers, campus by campus, in the order of ranks; by default the same.
    """

    campuses: tuple[int, ...]
    strategy: str
    congestion_control: str
    gradient_bytes: int
    bucket_bytes: int
    compute_ms: float
    points: tuple[Point, ...]
    access_bps: int = ACCESS_BPS
    mtu: int = MTU
    options: Mapping[str, int] = field(default_factory=dict)
    order: tuple[int, ...] | None = None
    reference_state: Duplex | None = None

    @property
    def reference(self) -> Duplex:
        """Unless stated, one without losses, so that TCP's window is not small at first."""
        if self.reference_state:
            return self.reference_state
        return Duplex.both(LinkState(self.access_bps, 500_000, mtu=self.mtu, queue_bytes=4 * 10**6))


@dataclass(frozen=True)
class Measured:
    """What each of a point's settled steps took (s).

    Attributes:
        exchanges_s: of each, from when the last rank had computed to when the last exchange ended.
    """

    series: Series
    point: Point
    steps_s: tuple[float, ...]
    exchanges_s: tuple[float, ...]
    fabric_rtt_s: float

    @property
    def mean_s(self) -> float:
        """The mean of the steps."""
        return fmean(self.steps_s)


class _Quiet:
    def begin(self, steps: int) -> None: ...
    def stage(self, text: str) -> None: ...
    def step(self, step: int, phase: str, step_ms: float, coherence: float | None) -> None: ...


def scenario_of(series: Series) -> Scenario:
    """Return a scenario with the series' campuses and job; its spans' states do not matter."""
    names = NAMES[: len(series.campuses)]
    fabric = {"kind": "star", "rate": render(series.access_bps, "rate"), "mtu": series.mtu}
    steps = REFERENCE_STEPS + sum(point.steps for point in series.points)
    return Scenario.model_validate(
        {
            "name": "training-grid",
            "seed": 5,
            "network": {
                "congestion_control": series.congestion_control,
                "campuses": {
                    name: {"workers": workers, "fabric": fabric}
                    for name, workers in zip(names, series.campuses, strict=True)
                },
                "spans": {
                    f"{a}-{b}": {"rate": "100 Mbit/s", "delay": "5 ms"}
                    for a, b in combinations(names, 2)
                },
            },
            "workload": {
                "strategy": {"name": series.strategy, **series.options},
                "gradients": f"{series.gradient_bytes} B",
                "bucket": f"{series.bucket_bytes} B",
                "compute": f"{series.compute_ms:g} ms",
                "steps": steps,
                "reference_steps": REFERENCE_STEPS,
                "timeout": "100 s",
            },
            "emulate": {"bytes": 1, "time": 1},
        }
    )


def twin_through(series: Series) -> Twin:
    """Return the twin whose spans all change from point to point."""
    twin = twin_of(scenario_of(series))
    changes, step = [], REFERENCE_STEPS
    for point in series.points:
        state = point.state(series.mtu)
        for span in twin.graph.spans:
            changes.append(Change(step, "upgrade", span, None, state, state))
        step += point.steps
    return replace(twin, reference=series.reference, changes=tuple(changes))


def measure(many: Iterable[Series]) -> Iterator[tuple[list[Measured], list[Check]]]:
    """Train each series in turn in a network of its own; yield what its points took."""
    for series in many:
        scenario, twin = scenario_of(series), twin_through(series)
        machine = choose_impairer(probe(), None, twin.states)
        with ExitStack() as stack:
            place = stack.enter_context(TemporaryDirectory(prefix="spanlab-benchmarks-"))
            folder = stack.enter_context(owned_folder(f"benchmark-{time.monotonic_ns()}"))
            record = Record(Path(place) / "run")
            stack.callback(record.close)
            training = Training(record.logs / "launcher.log")
            stack.callback(training.close)
            network = stack.enter_context(
                running_network(twin, machine, scenario, folder=folder, logs=record.logs)
            )
            stack.callback(training.close)
            training.wait_imported()
            network.calibrate({change.span: change.emulated for change in twin.changes})
            network.set_spans(dict.fromkeys(twin.graph.spans, twin.reference))
            fabric_rtt_s = _fabric_rtt_s(network)
            outcome = Outcome()
            session = outcome.session
            hosts_file = write_hosts(twin, folder)
            job = job_of(scenario, twin, network, hosts_file, record.logs)
            job = in_order(job, series.order)
            train(job, training, network, Course(scenario, twin), record, _Quiet(), outcome)
            steps = system_steps(record.steps, len(job.ranks))
            phases = steps_of_phases(steps, session.phases)[1:]
            took_s = exchanges_s(record.steps)
        found = [
            Measured(
                series,
                point,
                tuple(step.duration_ns / 1e9 for step in phase[point.settling :]),
                tuple(took_s[step.step] for step in phase[point.settling :]),
                fabric_rtt_s,
            )
            for point, phase in zip(series.points, phases, strict=True)
        ]
        yield found, outcome.checks


def in_order(job: Job, order: Sequence[int] | None) -> Job:
    """Return a job whose ranks stand in another order."""
    if order is None:
        return job
    ranks = tuple(replace(job.ranks[number], rank=rank) for rank, number in enumerate(order))
    return replace(job, ranks=ranks)


def exchanges_s(records: Sequence[dict[str, Any]]) -> dict[int, float]:
    """Return by step the time from when the last rank had computed to the end of all exchanges."""
    computed_ns: dict[int, int] = {}
    ended_ns: dict[int, int] = {}
    for record in records:
        step, start_ns = record["step"], record["start_ns"]
        computed_ns[step] = max(computed_ns.get(step, 0), record["computed_ns"])
        ends_us = [end_us for _, end_us, _ in record["exchanges"]]
        ended_ns[step] = max(ended_ns.get(step, 0), start_ns + 1000 * max(ends_us, default=0))
    return {step: (end_ns - computed_ns[step]) / 1e9 for step, end_ns in ended_ns.items()}


def _fabric_rtt_s(network: Network) -> float:
    """Return the median round trip between two workers of a campus; 0 where each has one."""
    workers = network.lab.graph.workers
    pairs = [(a, b) for a, b in combinations(workers, 2) if a.campus == b.campus]
    if not pairs:
        return 0.0
    near, far = pairs[0]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    command = ["ping", "-i", "0.01", "-c", "60", far.ip]
    with network.lab.popen(near.name, command, **pipes) as ping:
        output, _ = ping.communicate(timeout=30)
    times = [float(text) for text in re.findall(r"time=([0-9.]+) ms", output)]
    return median(times[10:]) / 1e3
