"""What may harm a run, and what is to become of that run: read from docs/troubles.md. Pure.

The document is the only place where it is written down, so that it cannot differ from what is
tested.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

Outcome = Literal["failed", "cut short", "not faithful", "goes on", "refused"]
DOCUMENT = Path(__file__).parents[1] / "docs" / "troubles.md"
WITHIN_S = 10.0
"""From a harm to the end of the run that it fails."""
_ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|([^|]*)\| [^|]+ \|$", re.MULTILINE)


@dataclass(frozen=True)
class Harm:
    """One row: what is done to what, what comes of it, and the words that must be said of it."""

    component: str
    how: str
    outcome: Outcome
    words: str

    @property
    def name(self) -> str:
        """Say it in two words or three."""
        return f"{self.component} {self.how}"

    def said_in(self, text: str) -> bool:
        """Return whether a text has the words, with something in place of capitals."""
        pattern = re.sub(r"\b[A-Z]+\b", ".+?", re.escape(self.words))
        return re.search(pattern, text) is not None


@cache
def harms() -> Mapping[str, Harm]:
    """Return all rows by name."""
    found = {}
    for component, how, outcome, words in _ROW.findall(DOCUMENT.read_text()):
        if component == "component" or set(component) == {"-"}:
            continue
        outcome = outcome.strip()
        assert outcome in get_args(Outcome), f"{DOCUMENT}: {outcome}"
        harm = Harm(component.strip(), how.strip(), outcome, words.strip().strip("`"))
        found[harm.name] = harm
    return found


def faults(
    harm: Harm | None, result: Mapping[str, Any] | None, *, code: int, stderr: str
) -> Sequence[str]:
    """Say in what a run's end differs from what its harm should have led to; None for no harm.

    A harm that came when nothing was measured any more is none.
    """
    if result is None or (harm and harm.outcome == "cut short"):
        return _faults_without(harm, result, code=code, stderr=stderr)
    status, fidelity = result["status"], result["fidelity"]
    said = "\n".join([result["error"] or "", *fidelity["reasons"]])
    wanted = harm.outcome if harm else "goes on"
    found = []
    if (status == "finished") != (wanted != "failed"):
        found.append(f"its status is {status}: {result['error']}")
    if code != (0 if status == "finished" else 1):
        found.append(f"exit code {code}")
    if wanted in ("failed", "not faithful") and fidelity["verdict"] == "faithful":
        found.append("it says that it was faithful")
    if wanted == "failed" and fidelity["verdict"] != "invalid":
        found.append(f"its verdict is {fidelity['verdict']}")
    if harm and not harm.said_in(said):
        found.append(f"'{harm.words}' is not in: {said[:300]}")
    return found


def _faults_without(
    harm: Harm | None, result: Mapping[str, Any] | None, *, code: int, stderr: str
) -> Sequence[str]:
    """Say what is wrong with a run that left no result, or should have left none."""
    if harm is None or harm.outcome not in ("cut short", "refused"):
        return [f"it left no result, exit code {code}: {stderr[-600:]}"]
    found = [] if result is None else [f"it left a result: {result['status']}"]
    if code != (1 if harm.outcome == "cut short" else 3):
        found.append(f"exit code {code}")
    if not harm.said_in(stderr):
        found.append(f"'{harm.words}' is not in: {stderr[-300:]}")
    return found
