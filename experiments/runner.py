"""One run, from a scenario to its result: read this first."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from controller.client import ControllerClient
from controller.errors import ControllerError
from experiments import fidelity
from experiments.bench import Bench, Place
from experiments.carrymeasure import ensure_known
from experiments.conductor import Conductor
from experiments.errors import Interrupted, RunFailed
from experiments.manifest import manifest_of
from experiments.network import Network
from experiments.outcome import Outcome, finish
from experiments.placement import job_of
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
from topologies.emulation.ownership import reap
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
    scenario: Scenario,
    twin: Twin,
    source: Path,
    observer: Observer,
    out: Path | None = None,
    bench: Bench | None = None,
) -> tuple[Path, dict[str, Any]]:
    """Emulate a scenario's twin, which may have been made by hand, on a bench; see `run`."""
    machine = preflight(scenario, twin)
    name = secrets.token_hex(3)
    record = Record(out or default_folder(scenario.name, name))
    record.write("manifest.json", manifest_of(scenario, source, name, twin, machine))
    outcome = Outcome()
    bench = bench or Bench(kept=False)
    observer.begin(scenario.workload.steps)
    with stop_on_signals() as ignore_signals:
        try:
            with bench.place(scenario, twin, machine, name, record, observer.stage) as place:
                emulate(scenario, twin, place, record, observer, outcome)
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
    place: Place,
    record: Record,
    observer: Observer,
    outcome: Outcome,
) -> None:
    """Measure the network, train through it, measure again."""
    network, training = place.network, place.training
    observer.stage("measuring the spans")
    network.controller.set_probing(scenario.controller.probing)
    # In a lab that has proved itself, spans that stay as they are have their rates measured once.
    once = place.renewed and twin.final == twin.initial and not twin.traces
    outcome.checks += measure_before(network, twin, rates=not once)
    observer.stage("training")
    job = job_of(scenario, twin, network, place.hosts_file, record.logs)
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


def measure_before(network: Network, twin: Twin, *, rates: bool) -> list[fidelity.Check]:
    """Calibrate and measure the aged spans, then set them for the reference phase."""
    checks = network.measure_rates("before training", twin.initial) if rates else []
    for attempt in range(CALIBRATIONS):
        if attempt or not network.floor:
            network.calibrate(twin.initial)
        delays = network.measure_delays("before training", twin.initial)
        if all(check.ok for check in delays):
            break
    checks += delays
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
