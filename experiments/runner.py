"""One run, from a scenario to its result: read this first."""

from __future__ import annotations

import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from controller.errors import ControllerError
from experiments import fidelity, similarity
from experiments.carrymeasure import ensure_known
from experiments.coherence import differing_steps, system_steps
from experiments.containers import training_in
from experiments.errors import Interrupted, RunFailed
from experiments.exchanges import exchanges_of
from experiments.learning import task_result, time_to_loss
from experiments.manifest import manifest_of
from experiments.network import Network, running_network
from experiments.record import Record, default_folder
from experiments.report import write_report
from experiments.result import (
    SCHEMA,
    event_results,
    headline,
    largest_campus_share,
    phase_results,
)
from experiments.scenario import Scenario
from experiments.session import Observer, Session, train_through
from experiments.strategyoptions import emulated
from experiments.trace import trace_of
from experiments.traffic import (
    arrivals,
    expected_arrivals,
    expected_run_bytes,
    message_slack,
    routes_by_step,
    routing_slack,
    splitting_slack,
)
from experiments.training import Training
from experiments.twin import Twin, load_twin
from topologies.emulation.backends import choose_impairer
from topologies.emulation.capabilities import Capabilities, probe
from topologies.emulation.errors import EmulationError, MachineError
from topologies.emulation.lab import HOST_INTERFACE
from topologies.emulation.ownership import owned_folder, reap
from workloads import strategies, tasks
from workloads.job import Job, Rank

RENDEZVOUS_PORT = 29_500
CALIBRATIONS = 2
"""A calibration that the spans' measurement does not confirm is made anew, once."""


@dataclass
class Outcome:
    """What is known of a run so far; a run that fails keeps it."""

    status: str = "finished"
    error: str | None = None
    session: Session = field(default_factory=Session)
    checks: list[fidelity.Check] = field(default_factory=list)


def run(source: Path, observer: Observer, out: Path | None = None) -> tuple[Path, dict[str, Any]]:
    """Emulate a scenario file and train through it; return the run folder and its result.

    Raises FileError for a scenario that cannot be built and MachineError for a machine that cannot
    build it; a run that fails later has a result that says so.
    """
    with stop_on_signals():
        ensure_known(source, observer.stage)
    return run_twin(*load_twin(source), source, observer, out)


def run_twin(
    scenario: Scenario, twin: Twin, source: Path, observer: Observer, out: Path | None = None
) -> tuple[Path, dict[str, Any]]:
    """Emulate a scenario's twin, which may have been made by hand; see `run`."""
    machine = preflight(scenario, twin)
    name = secrets.token_hex(3)
    record = Record(out or default_folder(scenario.name, name))
    record.write("manifest.json", manifest_of(scenario, source, name, twin, machine))
    outcome = Outcome()
    with stop_on_signals() as ignore_signals:
        try:
            emulate(scenario, twin, machine, name, record, observer, outcome)
            ignore_signals()  # what was measured is written down whatever comes
        except Interrupted:
            outcome.status, outcome.error = "interrupted", "told to stop"
        except MachineError:
            record.discard()
            raise
        except (RunFailed, EmulationError, ControllerError) as error:
            outcome.status, outcome.error = "failed", str(error)
        record.event("network gone")
        return record.folder, finish(scenario, twin, machine, name, record, outcome)


def emulate(
    scenario: Scenario,
    twin: Twin,
    machine: Capabilities,
    name: str,
    record: Record,
    observer: Observer,
    outcome: Outcome,
) -> None:
    """Build the network, measure it, train through it, measure again, take it down."""
    observer.begin(scenario.workload.steps)
    with ExitStack() as stack:
        folder = stack.enter_context(owned_folder(name))
        hosts_file, runtime = write_hosts(twin, folder), scenario.emulate.runtime
        training, places = stack.enter_context(
            training_in(runtime, twin, hosts_file, record, observer.stage)
        )
        observer.stage("building the network")
        network = stack.enter_context(
            running_network(twin, machine, scenario, folder=folder, logs=record.logs, places=places)
        )
        stack.callback(training.close)  # the ranks go before their network does
        record.event("network up")
        training.wait_imported()
        observer.stage("measuring the spans")
        network.controller.set_probing(scenario.controller.probing)
        outcome.checks += measure_before(network, twin)
        observer.stage("training")
        job = job_of(scenario, twin, network, folder, record.logs)
        outcome.checks += train(job, training, network, twin, record, observer, outcome.session)
        observer.stage("measuring the spans again")
        network.set_spans({span: twin.final[span] for span in twin.traces})  # replays have ended
        outcome.checks += network.measure("after training", twin.final)
        record.event("measured")


def preflight(scenario: Scenario, twin: Twin) -> Capabilities:
    """Remove what dead runs left, probe the machine and choose what carries the spans.

    Raises MachineError for what the machine lacks.
    """
    machine = probe()
    if machine.missing:
        raise MachineError("this machine lacks:\n" + "\n".join(f"  {m}" for m in machine.missing))
    reap()
    return choose_impairer(machine, scenario.emulate.impairer, twin.states)


def measure_before(network: Network, twin: Twin) -> list[fidelity.Check]:
    """Calibrate and measure the aged spans, then set them for the reference phase."""
    rates = network.measure_rates("before training", twin.initial)
    for _ in range(CALIBRATIONS):
        network.calibrate(twin.initial)
        delays = network.measure_delays("before training", twin.initial)
        if all(check.ok for check in delays):
            break
    checks = [*delays, *rates]
    checks.append(fidelity.check_cables(network.controller.health().miswired))
    network.set_spans(dict.fromkeys(twin.graph.spans, twin.reference))
    return checks


def train(
    job: Job,
    training: Training,
    network: Network,
    twin: Twin,
    record: Record,
    observer: Observer,
    session: Session,
) -> list[fidelity.Check]:
    """Train a job through all changes; return what the counters say of the emulation."""
    drops = network.lab.unmodelled_drops()
    training.assign(job)
    train_through(
        twin,
        network,
        training,
        record,
        observer,
        session,
        step_timeout_s=job.timeout_s,
    )
    checks = fidelity.check_drops(drops, network.lab.unmodelled_drops())
    if network.impairer.tells_drops_apart:
        checks += fidelity.check_training_loss(
            session.phases, session.states, session.snapshots, twin.traces
        )
    first, last = session.snapshots[0], session.snapshots[-1]
    routed = routes_by_step(session.routes, system_steps(record.steps, len(job.ranks)))
    exchanges = exchanges_of(twin, job.strategy, job.options)
    expected = expected_run_bytes(twin, routed, exchanges, job.steps)
    splitting = splitting_slack(twin, routed, exchanges, job.steps)
    rerouting = routing_slack(twin, routed, exchanges)
    messages = message_slack(twin, routed, exchanges, job.steps)
    moved: dict[str, list[float]] = {}
    for span in twin.graph.spans:
        moved[span] = []
        for index, direction in enumerate(("forward", "backward")):
            before, after = first[span][index], last[span][index]
            subject = f"{span} {direction}"
            checks += fidelity.check_counters(subject, before, after)
            moved[span].append(after.delivered_bytes - before.delivered_bytes)
            if expected[span][index] and not session.rerouted:
                slack = sum(of[span][index] for of in (splitting, rerouting, messages))
                checks.append(
                    fidelity.check_bytes(subject, expected[span][index], moved[span][index], slack)
                )
    # Nobody knows what took which way, of several or in the middle of a step.
    if session.rerouted or any(map(any, splitting.values())):
        entered = arrivals(twin.graph, moved)
        for campus, least in expected_arrivals(twin, exchanges, job.steps).items():
            checks.append(fidelity.check_arrivals(campus, least, entered[campus]))
    return checks


def job_of(scenario: Scenario, twin: Twin, network: Network, folder: Path, logs: Path) -> Job:
    """Place the ranks on the lab's hosts, campus by campus."""
    ranks = tuple(
        Rank(
            rank=number,
            site=host.campus,
            host=host.name,
            address=host.ip,
            interface=HOST_INTERFACE,
            netns=f"/proc/{network.lab.pid(host.name)}/ns/net",
            speed=twin.speeds[number],
        )
        for number, host in enumerate(twin.graph.workers)
    )
    chosen = scenario.workload.strategy
    return Job(
        ranks=ranks,
        strategy=chosen.name,
        options=emulated(chosen.name, chosen.options, scenario.emulate.bytes),
        gradient_bytes=twin.gradient_bytes,
        bucket_bytes=twin.bucket_bytes,
        compute_ns=twin.compute_ns,
        steps=scenario.workload.steps,
        seed=scenario.seed,
        timeout_s=twin.timeout_ns / 1e9,
        port=RENDEZVOUS_PORT,
        hosts_file=str(write_hosts(twin, folder)),
        log_folder=str(logs.resolve()),
        task=twin.model.task,
        task_options=dict(twin.model.options),
        variation=twin.variation,
    )


def write_hosts(twin: Twin, folder: Path) -> Path:
    """Write the names of all machines, as /etc/hosts has them, into the run's private folder."""
    names = [f"{host.ip} {host.name}" for host in twin.graph.hosts]
    own_names = f"127.0.0.1 localhost {socket.gethostname()}"
    path = folder / "hosts"
    path.write_text("\n".join([own_names, *names]) + "\n")
    return path


def finish(
    scenario: Scenario,
    twin: Twin,
    machine: Capabilities,
    name: str,
    record: Record,
    outcome: Outcome,
) -> dict[str, Any]:
    """Turn what was measured into the files of the run folder, the result last."""
    steps = system_steps(record.steps, len(twin.graph.workers))
    session = outcome.session
    synchronous = strategies.declaration(scenario.workload.strategy.name).synchronous
    differing = differing_steps(steps, synchronous=synchronous)
    reference, phases = phase_results(
        steps,
        record.steps,
        session,
        seed=scenario.seed,
        largest_campus_share=largest_campus_share(scenario.network.campuses),
        learns=tasks.best_loss(twin.model.task) is not None,
    )
    checks = [*outcome.checks, fidelity.check_replicas(differing)]
    checks += fidelity.check_compute(record.steps)
    judged = fidelity.verdict(checks)
    if outcome.error:
        judged["reasons"].insert(0, f"the run {outcome.status}: {outcome.error}")
        judged["verdict"] = "invalid"
    result = {
        "schema": SCHEMA,
        "name": scenario.name,
        "run": name,
        "status": outcome.status,
        "error": outcome.error,
        "fidelity": judged,
        "backend": {
            "impairer": machine.impairer,
            "datapath": machine.datapath,
            "runtime": scenario.emulate.runtime.name,
        },
        "task": task_result(twin.model),
        "reference": reference,
        "phases": phases,
        "time_to_loss": time_to_loss(steps, scenario.target.loss, scenario.emulate.time),
        "events": event_results(record.events, steps, session.phases),
        "similarity": similarity.summary(scenario, twin),
    }
    result["headline"] = headline(result)
    record.to_parquet()
    trace = trace_of(record.steps, record.events, record.samples, twin)
    record.write("trace.json", trace)
    write_report(record, scenario, twin, result, steps, session.phases)
    record.write("result.json", result)
    record.close()
    return result


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], None]]:
    """Turn the first Ctrl-C, SIGTERM or SIGHUP into `Interrupted`; ignore all that follow.

    Yields a function that ignores them from now on.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def ignore() -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)

    def stop(number: int, frame: FrameType | None) -> None:
        ignore()
        raise Interrupted

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield ignore
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
