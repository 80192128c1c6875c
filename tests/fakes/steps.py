"""Step records as ranks report them, with round numbers."""

from __future__ import annotations

from typing import Any

MS = 10**6


def rank_step(
    step: int,
    start_ms: float,
    end_ms: float,
    *,
    rank: int = 0,
    communicates_ms: float | None = None,
    exposed_ms: float = 0.0,
    digest: str = "a",
    loss: float = 1.0,
) -> dict[str, Any]:
    """Return one rank's record; it communicates from ``communicates_ms``, or from its middle."""
    first_ms = (start_ms + end_ms) / 2 if communicates_ms is None else communicates_ms
    return {
        "kind": "step",
        "rank": rank,
        "step": step,
        "start_ns": int(start_ms * MS),
        "end_ns": int(end_ms * MS),
        "first_communication_ns": int(first_ms * MS),
        "compute_ns": int((end_ms - start_ms - exposed_ms) * MS),
        "computed_ns": int((end_ms - exposed_ms) * MS),
        "exposed_communication_ns": int(exposed_ms * MS),
        "exchanges": [],
        "sent": 0,
        "received": 0,
        "declared_ns": int((end_ms - start_ms - exposed_ms) * MS),
        "late_ns": 0,
        "loss": loss,
        "hash": digest,
    }


def series(
    durations_ms: list[float], ranks: int = 2, begin_ms: float = 0.0
) -> list[dict[str, Any]]:
    """Return the records of steps that follow each other without a gap, the same on all ranks."""
    records = []
    for step, duration_ms in enumerate(durations_ms):
        for rank in range(ranks):
            records.append(rank_step(step, begin_ms, begin_ms + duration_ms, rank=rank))
        begin_ms += duration_ms
    return records
