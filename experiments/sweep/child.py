"""The process in which a worker of a cluster emulates points, one after the other.

A process of its own because a run takes signals and namespaces for itself, which the threads of a
Dask worker cannot have; it stays between points, so that nothing is imported twice, and dies with
the worker. Standard input carries a request a line, standard output an answer to each.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from experiments.errors import Interrupted, RunFailed
from experiments.sweep.bench import attempt
from topologies.emulation.errors import MachineError
from workloads.namespace import die_with_parent


class Nobody:
    """Watches a run without telling anybody."""

    def begin(self, steps: int) -> None:
        """Hear that a run begins."""

    def stage(self, text: str) -> None:
        """Hear what the run does now."""

    def step(self, step: int, phase: str, step_ms: float, coherence: float | None) -> None:
        """Hear that a step has ended."""


def main() -> None:
    """Answer requests until there are no more."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the worker
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing else may stand among the answers
    for line in sys.stdin:
        request = json.loads(line)
        folder, source = Path(request["folder"]), Path(request["source"])
        try:
            run = attempt(request["index"], request["scenario"], source, folder, Nobody())
            answer = {"ended": run.to_json()}
        except (MachineError, RunFailed) as error:
            answer = {"cannot": str(error)}
        except Interrupted:
            answer = {"cannot": "told to stop"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
