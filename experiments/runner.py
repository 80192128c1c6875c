"""One run, from a scenario to its result: read this first."""

from __future__ import annotations

import secrets
from functools import partial
from pathlib import Path
from typing import Any

from controller.client import ControllerClient
from controller.errors import ControllerError
from experiments import fidelity, limits
from experiments.bench import Bench, Place
from experiments.carrymeasure import ensure_known
from experiments.clockbounds import bounds_ns, check_clocks, has_our_clock
from experiments.conductor import Conductor
from experiments.course import Course
from experiments.errors import Interrupted, RunFailed
from experiments.live import Live
from experiments.loading import load_twin
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
from experiments.twin import Twin
from experiments.watch import Watch
from topologies.emulation.backends import choose_impairer
from topologies.emulation.capabilities import Capabilities
from topologies.emulation.errors import EmulationError, MachineError
from topologies.emulation.ownership import half_written
from topologies.emulation.reaping import reap
from workloads.job import Job

CALIBRATIONS = 2
"""A calibration that the spans' measurement does not confirm is made anew, once."""


def run(
    source: Path, observer: Observer, out: Path | None = None, *, live: bool = False
) -> tuple[Path, dict[str, Any]]:
    """Emulate a scenario file and train through it; return the run folder and its result.

    A ``live`` run hears what is wished of it meanwhile. Raises FileError for a scenario that cannot
    be built and MachineError for a machine that cannot build it; a run that fails later has a
    result that says so.
    """
    with stop_on_signals():
        ensure_known(source, observer.stage)
    return run_twin(*load_twin(source), source, observer, out, live=live)


def run_twin(
    scenario: Scenario,
    twin: Twin,
    source: Path,
    observer: Observer,
    out: Path | None = None,
    bench: Bench | None = None,
    *,
    live: bool = False,
    pages: bool = True,
) -> tuple[Path, dict[str, Any]]:
    """Emulate a scenario's twin, which may have been made by hand, on a bench; see `run`.

    Without ``pages`` it leaves neither report nor trace.
    """
    bench = bench or Bench(kept=False)
    machine = preflight(scenario, twin, bench.machine)
    name = secrets.token_hex(3)
    limits.check_disk(folder := out or default_folder(scenario.name, name))
    record = Record(folder, pages=pages)
    course, outcome = Course(scenario, twin), Outcome()
    listening = Live(observer, record, outcome.checks) if live else None
    observer = listening or observer
    observer.begin(scenario.workload.steps)
    with (
        half_written(record.folder, name),
        limits.telling(record.folder),
        stop_on_signals() as ignore_signals,
    ):
        manifest = manifest_of(scenario, source, name, twin, machine, live=live)
        record.write("manifest.json", manifest)
        try:
            with bench.place(scenario, twin, machine, name, record, observer.stage) as place:
                emulate(course, place, record, observer, outcome, listening)
            ignore_signals()  # what was measured is written down whatever comes
        except Interrupted:
            outcome.status, outcome.error = "interrupted", "told to stop"
        except MachineError:
            record.discard()
            raise
        except (RunFailed, EmulationError, ControllerError, OSError, MemoryError) as error:
            outcome.status, outcome.error = "failed", limits.told(error, record.folder)
        record.event("network gone")
        if listening:
            listening.close(course, outcome.status)
        return record.folder, finish(course.scenario, course.twin, machine, name, record, outcome)


def emulate(
    course: Course,
    place: Place,
    record: Record,
    observer: Observer,
    outcome: Outcome,
    live: Live | None = None,
) -> None:
    """Measure the network, train through it, measure again."""
    network, training, scenario, twin = place.network, place.training, course.scenario, course.twin
    observer.stage("measuring the spans")
    network.supervised.ask(lambda it: it.set_probing(scenario.controller.probing))
    # In a lab that has proved itself, spans that stay as they are have their rates measured once.
    once = place.renewed and twin.final == twin.initial and not twin.traces
    outcome.checks += measure_before(network, twin, rates=not once)
    outcome.checks.append(compare_clocks(place, record))
    observer.stage("training")
    job = job_of(scenario, twin, network, place.hosts_file, record.logs, live=live is not None)
    train(job, training, network, course, record, observer, outcome, live)
    twin = course.twin  # as it was wished meanwhile
    observer.stage("measuring the spans again")
    network.set_spans({span: twin.final[span] for span in twin.traces})  # replays have ended
    outcome.checks += network.measure("after training", twin.final)
    outcome.checks += network.vitals.checks()
    outcome.checks.append(fidelity.check_restarts(network.supervised.restarts))
    outcome.checks.append(fidelity.check_deaths(outcome.session.died))
    outcome.checks.append(fidelity.check_closed(network.ways_out()))
    record.event("measured")


def preflight(scenario: Scenario, twin: Twin, machine: Capabilities) -> Capabilities:
    """Remove what dead runs left, and choose what carries the spans; return the machine with that.

    Raises MachineError for what the machine lacks.
    """
    if machine.missing:
        raise MachineError("this machine lacks:\n" + "\n".join(f"  {m}" for m in machine.missing))
    reap()
    limits.allow_descriptors(twin.graph)
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
    health = network.supervised.ask(ControllerClient.health)
    checks.append(fidelity.check_cables(health.miswired))
    network.set_spans(dict.fromkeys(twin.graph.spans, twin.reference))
    return checks


def compare_clocks(place: Place, record: Record) -> fidelity.Check:
    """Ask all whose time stamps the run will hold what time it is."""
    network = place.network
    clocks = {f"relay of {span}": ask for span, ask in network.impairer.clocks().items()}
    clocks["controller"] = partial(network.supervised.ask, ControllerClient.now_ns)
    # The controller answers by HTTP, which on a slow machine takes longer than clocks may differ.
    ours = {"controller"} if has_our_clock(network.supervised.pid) else set()
    bounds = bounds_ns(place.training.clocks() | clocks, ours)
    record.event("clocks compared", at_most_us={name: ns / 1000 for name, ns in bounds.items()})
    return check_clocks(bounds)


def train(
    job: Job,
    training: Training,
    network: Network,
    course: Course,
    record: Record,
    observer: Observer,
    outcome: Outcome,
    live: Live | None = None,
) -> None:
    """Train a job through all changes; note what was seen of the emulation meanwhile."""
    session, checks = outcome.session, outcome.checks
    with Watch(network, record, session) as watch:
        try:
            Conductor(
                course, job, network, training, record, observer, session, watch, live
            ).train()
            watch.hear(network.supervised.ask(ControllerClient.health))
            watch.end()
        finally:
            checks += watch.checks()
    if network.impairer.tells_drops_apart:
        checks += fidelity.check_training_loss(
            session.phases, session.states, session.snapshots, course.twin.traces
        )
    checks += traffic_checks(course.twin, record.steps, session)
