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
from contextlib import closing
from pathlib import Path
from typing import Any

from experiments.bench import Bench
from experiments.errors import Interrupted, RunFailed
from experiments.sweep.attempt import attempt
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
    with closing(Bench()) as bench:
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line), bench)), file=answers, flush=True)


def answer(request: dict[str, Any], bench: Bench) -> dict[str, str]:
    """Emulate the point that is asked for; return how it ended, or why none can be."""
    folder, source = Path(request["folder"]), Path(request["source"])
    try:
        point = request["index"], request["scenario"], source, folder
        ended = attempt(*point, Nobody(), bench, request["keep"])
    except (MachineError, RunFailed) as error:
        return {"cannot": str(error)}
    except Interrupted:
        return {"cannot": "told to stop"}
    return {"ended": ended.to_json()}


if __name__ == "__main__":
    main()
