"""How one run of a sweep ended: a line of the ledger, and what the table's rows are made from."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

MAX_ERROR = 2000
"""Characters of an error that are kept; the log holds all of it."""


@dataclass(frozen=True)
class Ended:
    """A run that has ended, well or not; none that was interrupted.

    Attributes:
        index: of its point.
        folder: its run folder, within the sweep's.
        status: ``finished`` or ``failed``.
        error: why it failed.
        seed: of its scenario.
        verdict: on the emulation; None where there was none to judge.
        impairer: what carried the spans.
        seconds: from its start to its result; None where that was lost.
        machine: on which it ran.
        phases: by column of the table, what each phase of it came to.
    """

    index: int
    folder: str
    status: str
    seed: int
    error: str | None = None
    verdict: str | None = None
    impairer: str | None = None
    seconds: float | None = None
    machine: str | None = None
    phases: tuple[dict[str, Any], ...] = ()

    @property
    def coherence(self) -> float | None:
        """Return that of the last phase."""
        return self.phases[-1]["coherence"] if self.phases else None

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str | bytes) -> Ended:
        """Read what `to_json` wrote; raises ValueError, TypeError or KeyError for anything else."""
        data = json.loads(text)
        return Ended(**{**data, "phases": tuple(data["phases"])})


def ended_well(
    index: int, folder: str, seed: int, result: Mapping[str, Any], seconds: float | None
) -> Ended:
    """Return how a run ended that has a result, which may still say that it failed."""
    error = result["error"]
    return Ended(
        index=index,
        folder=folder,
        status=result["status"],
        seed=seed,
        error=error and error[:MAX_ERROR],
        verdict=result["fidelity"]["verdict"],
        impairer=result["backend"]["impairer"],
        seconds=seconds if seconds is None else round(seconds, 3),
        machine=platform.node(),
        phases=phases_of(result),
    )


def phases_of(result: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return the columns that each phase of a result fills."""
    reference = result["reference"] or {}
    return tuple(
        {
            "phase": phase["name"],
            **{key: phase[key] for key in ("from_step", "to_step", "coherence", "class")},
            "coherence_low": phase["coherence_ci"][0],
            "coherence_high": phase["coherence_ci"][1],
            "steps_per_s": phase["steps_per_s"],
            "step_p50_ms": phase["step_ms"]["p50"],
            "step_p99_ms": phase["step_ms"]["p99"],
            "exposed_communication_ms": phase["exposed_communication_ms"],
            "training_loss": phase["loss"],
            "divergence": phase["divergence"],
            "reference_steps_per_s": reference["steps_per_s"],
            "reference_p50_ms": reference["step_ms"]["p50"],
        }
        for phase in result["phases"]
    )
