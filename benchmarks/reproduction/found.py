"""What the sweeps of experiments/scenarios/published/ found, asked from their tables."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from experiments.sweep.query import ask
from experiments.sweep.store import TABLE

SWEEPS = Path("experiments/scenarios/published")


def rows(runs: Path, sweep: str, question: str) -> list[dict[str, Any]]:
    """Return the answer to a question of a sweep's tables, by column.

    Raises FileError where the sweep has not been run: its folder is ``runs / sweep``.
    """
    answer = ask(question, runs / sweep)
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def measured(runs: Path, *sweeps: str) -> list[str]:
    """Return those of some sweeps that have been run."""
    return [sweep for sweep in sweeps if (runs / sweep / TABLE).is_file()]


def verdicts(runs: Path, *sweeps: str) -> str:
    """Say how many runs of some sweeps there were, and how the emulation was judged."""
    found: Counter[str] = Counter()
    for sweep in measured(runs, *sweeps):
        question = "select coalesce(verdict, status) as said, count(distinct folder) as n "
        for row in rows(runs, sweep, f"{question} from points group by all"):
            found[row["said"]] += row["n"]
    absent = [sweep for sweep in sweeps if sweep not in measured(runs, *sweeps)]
    rest = f" Not measured: {', '.join(absent)}." if absent else ""
    said = ", ".join(f"{count} {verdict}" for verdict, count in found.most_common())
    return f"{sum(found.values())} runs: {said}.{rest}"


class Interval(NamedTuple):
    """A value with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def text(self, digits: int) -> str:
        """Say it with so many decimals."""
        return f"{self.value:.{digits}f} ({self.low:.{digits}f}-{self.high:.{digits}f})"
