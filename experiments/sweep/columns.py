"""The columns of a sweep's table: what was varied, under short names, then what was found. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.sweep.ended import Ended
from experiments.sweep.points import Point, text_of
from experiments.sweep.quantity import BASE_UNITS, quantity_of

FOUND = {
    "phase": "VARCHAR",
    "from_step": "BIGINT",
    "to_step": "BIGINT",
    "coherence": "DOUBLE",
    "coherence_low": "DOUBLE",
    "coherence_high": "DOUBLE",
    "class": "VARCHAR",
    "steps_per_s": "DOUBLE",
    "step_p50_ms": "DOUBLE",
    "step_p99_ms": "DOUBLE",
    "exposed_communication_ms": "DOUBLE",
    "training_loss": "DOUBLE",
    "divergence": "DOUBLE",
    "reference_steps_per_s": "DOUBLE",
    "reference_p50_ms": "DOUBLE",
    "verdict": "VARCHAR",
    "status": "VARCHAR",
    "error": "VARCHAR",
    "impairer": "VARCHAR",
    "seconds": "DOUBLE",
    "machine": "VARCHAR",
    "folder": "VARCHAR",
}
"""Columns of every sweep with their types, after those of the point itself."""
IDENTITY = {"sweep": "VARCHAR", "point": "BIGINT", "repetition": "BIGINT", "seed": "BIGINT"}
RESERVED = frozenset({"for", "from", "table", "to", "window", "with"})
"""Keys of scenarios that SQL would take for words of its own."""


def names_of(paths: Sequence[str]) -> dict[str, str]:
    """Return a column name for each varied path: the shortest end of it that tells it apart."""
    taken = {*RESERVED, *FOUND, *IDENTITY}
    ends = {
        path: [_end(path, length) for length in range(1, path.count(".") + 2)] for path in paths
    }
    seen = Counter(end for each in ends.values() for end in set(each))
    names = {}
    for path, each in ends.items():
        fitting = (it for it in each if seen[it] == 1 and it not in taken and not it[:1].isdigit())
        names[path] = next(fitting, f"varied_{each[-1]}")
    return names


def _end(path: str, length: int) -> str:
    """Return the last so many parts of a path as a word."""
    parts = [re.sub(r"[^A-Za-z0-9]", "_", part) for part in path.split(".")[-length:]]
    return "_".join(part for part in parts if part != "_")


def columns_of(points: Sequence[Point]) -> dict[str, str]:
    """Return the columns of a sweep's table with their DuckDB types, in order."""
    varied = {name: "BIGINT" if kind in BASE_UNITS else kind for _, name, kind in _varied(points)}
    return IDENTITY | varied | FOUND


def rows_of(sweep: str, points: Sequence[Point], ended: Mapping[int, Ended]) -> Iterator[Any]:
    """Yield a row for each phase of each run that has ended, and one for a run without phases."""
    varied = list(_varied(points))
    for index, run in sorted(ended.items()):
        point = points[index]
        values = {name: _cell(point.values[path], kind) for path, name, kind in varied}
        for row in found_in(run):
            about = {"sweep": sweep, "point": point.point, "repetition": point.repetition}
            yield {**about, **values, **row}


def found_in(run: Ended) -> Iterator[dict[str, Any]]:
    """Yield what one run found, a row for each phase."""
    about = {
        "seed": run.seed,
        "verdict": run.verdict,
        "status": run.status,
        "error": run.error,
        "seconds": run.seconds,
        "machine": run.machine,
        "folder": run.folder,
        "impairer": run.impairer,
    }
    for phase in run.phases or ({},):
        yield about | phase


def _varied(points: Sequence[Point]) -> Iterator[tuple[str, str, str]]:
    """Yield path, column and type (or dimension) of what was varied; a quantity in both."""
    paths = [path for path in points[0].values if path != "seed"]  # a column of every sweep
    for path, name in names_of(paths).items():
        values = [point.values[path] for point in points]
        if all(isinstance(value, bool) for value in values):
            yield path, name, "BOOLEAN"
        elif all(type(value) is int for value in values):
            yield path, name, "BIGINT"
        elif all(type(value) in (int, float) for value in values):
            yield path, name, "DOUBLE"
        else:
            yield path, name, "VARCHAR"
            if len(dimensions := set(map(_dimension, values))) == 1 and (it := dimensions.pop()):
                yield path, f"{name}_{BASE_UNITS[it]}", it


def _cell(value: Any, kind: str) -> Any:
    if kind in BASE_UNITS:
        return round(quantity_of(value).value)
    return text_of(value) if kind == "VARCHAR" and value is not None else value


def _dimension(value: Any) -> str | None:
    try:
        return quantity_of(value).dimension
    except ValueError:
        return None
