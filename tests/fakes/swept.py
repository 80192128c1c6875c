"""Finished sweeps whose points have a coherence by formula, as their pages would find them."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.sweep.conduct import sweep
from experiments.sweep.ended import Ended
from experiments.sweep.points import Point
from experiments.sweep.quantity import quantity_of
from tests.fakes.scenarios import tiny
from tests.fakes.sweeps import DELAY, LOSS, Made, Nobody, write_sweep

Coherence = Callable[[Point], float]


class Varied(Made):
    """Runs points by making them up, each with a coherence of its own."""

    def __init__(self, coherence: Coherence, **made: Any) -> None:
        super().__init__(**made)
        self.coherence = coherence

    def run(self, points: Sequence[Point], runs: Path, keep: str) -> Generator[Ended, None, None]:
        by_index = {point.index: point for point in points}
        for ended in super().run(points, runs, keep):
            value = round(self.coherence(by_index[ended.index]), 4)
            phases = [{**phase, **_columns(value)} for phase in ended.phases]
            yield replace(ended, phases=tuple(phases) if ended.status == "finished" else ())


def _columns(coherence: float) -> dict[str, Any]:
    kind = "degraded" if coherence >= 0.5 else "incoherent"
    return {
        "coherence": coherence,
        "coherence_low": round(coherence - 0.01, 4),
        "coherence_high": round(coherence + 0.01, 4),
        "class": "coherent" if coherence >= 0.95 else kind,
    }


def lossy(point: Point) -> float:
    """Return a coherence that falls with delay and loss; less so where ranks seldom meet."""
    delay_ms = float(quantity_of(point.values[DELAY]).value) / 1e6
    loss = float(point.values.get(LOSS, 0.0))
    seldom = 8 if "local" in str(point.values.get("workload.strategy", "")) else 1
    costs = 0.004 * delay_ms + 30 * math.sqrt(delay_ms) * loss
    return 1 / (1 + costs / seldom) - (0.005 if seldom > 1 else 0.0)


def leave_sweep(folder: Path, coherence: Coherence = lossy, **changes: Any) -> Path:
    """Leave a sweep's folder; ``fail`` and ``doubt`` are indices, the rest are a sweep's keys.

    ``scenario_KEY`` is a key of its scenario.
    """
    own = {key: changes.pop(key) for key in list(changes) if key.startswith("scenario_")}
    if own:
        told = {key.removeprefix("scenario_"): value for key, value in own.items()}
        changes["scenario"] = {**tiny(workload__strategy="ddp"), **told}
    made = {key: changes.pop(key) for key in ("fail", "doubt") if key in changes}
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / "swept"
    sweep(write_sweep(folder, **changes), Varied(coherence, **made), Nobody(), out)
    return out
