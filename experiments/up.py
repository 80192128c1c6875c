"""A lab without training: built as a run builds it, and held until told to stop."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from controller.errors import ControllerError
from experiments.carrymeasure import ensure_known
from experiments.errors import Interrupted, RunFailed
from experiments.loading import load_twin
from experiments.network import running_network
from experiments.runner import preflight
from experiments.signals import stop_on_signals
from topologies.emulation.capabilities import probe
from topologies.emulation.errors import EmulationError, MachineError
from topologies.emulation.ownership import owned_folder

TEND_S = 0.5


def hold(
    source: Path, wired: bool, stage: Callable[[str], None], ready: Callable[[str], None]
) -> None:
    """Build a scenario's network with its aged spans; return once interrupted.

    ``wired`` gives fabrics wires; ``ready`` is told the run's id. Raises FileError, MachineError,
    or RunFailed for what does not come up or breaks.
    """
    with stop_on_signals():
        ensure_known(source, stage)
    scenario, twin = load_twin(source)
    machine = preflight(scenario, twin, probe())
    run = secrets.token_hex(3)
    try:
        with ExitStack() as stack:
            stack.enter_context(stop_on_signals())
            folder = stack.enter_context(owned_folder(run))
            stage("building the network")
            network = stack.enter_context(
                running_network(twin, machine, scenario, folder=folder, logs=folder, wired=wired)
            )
            stage("calibrating the spans")
            network.calibrate(twin.initial)
            ready(run)
            while True:
                network.supervised.restart_if_dead()
                time.sleep(TEND_S)
    except Interrupted:
        return
    except MachineError:
        raise
    except (EmulationError, ControllerError) as error:
        raise RunFailed(str(error)) from None
