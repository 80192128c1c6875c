"""What a student hands in: finished runs, and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.finished import FinishedRun, read_run
from experiments.labs.answers import Answers
from experiments.labs.matching import values_of_run
from topologies.files import FileError, read_json

RUNS = Path("runs")


@dataclass(frozen=True)
class Evidence:
    """What there is to check.

    Attributes:
        runs: the latest first.
        aside: what was left out, and why.
        answers: the student's numbers.
        unfaithful: whether degraded runs count, too.
    """

    runs: Sequence[FinishedRun]
    aside: Sequence[str]
    answers: Answers
    unfaithful: bool = False


def named_runs(folders: Sequence[Path]) -> list[FinishedRun]:
    """Read the folders that a student named; raises FileError for one that is no finished run."""
    return _latest_first([read_run(folder) for folder in dict.fromkeys(folders)])


def runs_below(folder: Path, name: str) -> tuple[list[FinishedRun], list[str]]:
    """Read the runs below a folder whose scenarios' names begin with ``name``.

    Returns them, the latest first, and a sentence for each that cannot be read.
    """
    found, aside = [], []
    for manifest in sorted(folder.glob("*/manifest.json")):
        try:
            called = read_json(manifest)["scenario"]["name"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # of no lab, as far as anybody can tell
        if called != name and not str(called).startswith(f"{name}-"):
            continue
        try:
            run = read_run(manifest.parent)
            values_of_run(run)  # or it says that another version left it
            found.append(run)
        except FileError as error:
            aside.append(str(error))
    return _latest_first(found), aside


def _latest_first(runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    return sorted(runs, key=lambda run: str(run.manifest["started"]), reverse=True)
