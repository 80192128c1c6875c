"""One run, from a scenario to its result: read this first."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from controller.client import ControllerClient
from controller.errors import ControllerError
from experiments import fidelity
from experiments.carrymeasure import ensure_known
from experiments.conductor import Conductor
from experiments.containers import training_in
from experiments.errors import Interrupted, RunFailed
from experiments.manifest import manifest_of
from experiments.network import Network, running_network
from experiments.outcome import Outcome, finish
from experiments.placement import job_of, write_hosts
from experiments.record import Record, default_folder
from experiments.scenario import Scenario
from experiments.session import Observer
from experiments.signals import stop_on_signals
from experiments.trafficchecks import traffic_checks
from experiments.training import Training
from experiments.twin import Twin, load_twin
from experiments.watch import Watch
from topologies.emulation.backends import choose_impairer
from topologies.emulation.capabilities import Capabilities, probe
from topologies.emulation.errors import EmulationError, MachineError
from topologies.emulation.ownership import owned_folder, reap
from workloads.job import Job

CALIBRATIONS = 2
"""A calibration that the spans' measurement does not confirm is made anew, once."""


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
        job = job_of(scenario, twin, network, hosts_file, record.logs)
        train(job, training, network, twin, record, observer, outcome)
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
    outcome: Outcome,
) -> None:
    """Train a job through all changes; note what was seen of the emulation meanwhile."""
    session, checks = outcome.session, outcome.checks
    with Watch(network, record, session) as watch:
        try:
            Conductor(twin, job, network, training, record, observer, session, watch).train()
            watch.hear(network.supervised.ask(ControllerClient.health))
            watch.end()
        finally:
            checks += watch.checks()
    if network.impairer.tells_drops_apart:
        checks += fidelity.check_training_loss(
            session.phases, session.states, session.snapshots, twin.traces
        )
    checks += traffic_checks(twin, job, record.steps, session)
