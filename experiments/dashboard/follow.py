"""A run folder, read as it grows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.dashboard.digest import Digest, Item
from experiments.dashboard.facts import Facts, facts_of, told
from experiments.dashboard.lines import Growing
from experiments.live import SESSION
from experiments.runstate import is_alive
from experiments.understood import understood
from topologies.files import FileError, read_json

FILES = ("events", "live", "wishes", "steps", "spans")
"""In the order in which lines of one moment are taken."""


@dataclass(frozen=True)
class Condition:
    """How a run is.

    Attributes:
        state: ``starting``, ``live``, ``finished``, ``interrupted``, ``failed`` or ``died``.
        steerable: whether it listens to wishes.
        saved: whether it has left its session as a scenario.
        error: why it failed.
    """

    state: str
    steerable: bool = False
    saved: bool = False
    error: str = ""

    @property
    def over(self) -> bool:
        """Return whether nothing more will come."""
        return self.state not in ("starting", "live")


class Follower:
    """Reads what a run adds to its folder and gives messages for the page."""

    def __init__(self, folder: Path) -> None:
        """Follow a folder, which need not be there yet."""
        self.folder = folder
        self.facts: Facts | None = None
        self.condition = Condition("starting")
        self._files = {name: Growing(folder / f"{name}.jsonl") for name in FILES}
        self._digest: Digest | None = None
        self._undated: list[tuple[str, dict[str, Any]]] = []
        self._now_s = 0.0

    def poll(self) -> list[dict[str, Any]]:
        """Return what is new; raises FileError where another version of spanlab left the folder."""
        with understood(self.folder):
            return self._poll()

    def _poll(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        if self.condition.over:
            return messages
        if self.facts is None:
            manifest = _json(self.folder / "manifest.json")
            if manifest is None:
                return messages
            self.facts = facts_of(manifest, str(self.folder / "manifest.json"))
            self._digest = Digest(self.facts)
            messages.append({"kind": "run", "folder": self.folder.name, **told(self.facts)})
        alive = is_alive(self.facts.manifest)
        result = _json(self.folder / "result.json")  # last: what is read now is all
        if items := self._read():
            messages.append({"kind": "items", "items": items})
        if result is not None:
            messages.append({"kind": "result", "at_s": round(self._now_s, 3), **_told(result)})
        condition = self._condition(result, alive=alive)
        if condition != self.condition:
            self.condition = condition
            messages.append(condition_told(condition))
        return messages

    def _condition(self, result: dict[str, Any] | None, *, alive: bool) -> Condition:
        listens = self.facts is not None and self.facts.listens
        saved = (self.folder / SESSION).exists()
        if result is not None:
            return Condition(str(result["status"]), False, saved, result.get("error") or "")
        if alive:
            return Condition("live", listens, saved)
        return Condition("died", False, saved, "its process is gone and left no result")

    def _read(self) -> list[Item]:
        """Take all new lines in the order of their times."""
        lines = [(name, line) for name in FILES for line in self._files[name].read()]
        if not lines:
            return []
        digest, dated = self._digest, []
        assert digest, "made with the facts"
        lines, self._undated = [*self._undated, *lines], []
        for name, line in lines:
            moment_s = self._now_s if name == "wishes" else digest.moment_s(name, line)
            if moment_s is None:
                self._undated.append((name, line))
            else:
                dated.append((moment_s, name, line))
        if dated and not self._now_s:  # all that was there when the page came: wishes are answered
            last_s = max(moment_s for moment_s, _, _ in dated)
            dated = [(last_s if it[1] == "wishes" else it[0], *it[1:]) for it in dated]
        dated.sort(key=lambda it: it[0])
        for moment_s, name, line in dated:
            try:
                digest.take(name, line, moment_s)
            except (KeyError, TypeError, ValueError):
                continue  # of another version: the rest can still be shown
            self._now_s = max(self._now_s, moment_s)
        return digest.items()


def condition_told(condition: Condition) -> dict[str, Any]:
    """Return the message that says how a run is."""
    return {
        "kind": "condition",
        "state": condition.state,
        "steerable": condition.steerable,
        "saved": condition.saved,
        "error": condition.error,
    }


def _told(result: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a result."""
    columns = ("name", "from_step", "to_step", "coherence", "coherence_ci", "class", "step_ms")
    return {
        "headline": result.get("headline") or "",
        "verdict": result["fidelity"]["verdict"],
        "reasons": result["fidelity"]["reasons"],
        "reference_ms": (result.get("reference") or {}).get("step_ms"),
        "phases": [{name: phase[name] for name in columns} for phase in result["phases"]],
    }


def _json(path: Path) -> dict[str, Any] | None:
    try:
        return read_json(path)
    except FileError:
        return None
