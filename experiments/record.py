"""The run folder: written while the run goes on, completed atomically.

``manifest.json`` comes first and ``result.json`` last, when all else has reached the disk: so a
folder is absent, partial or complete, and never anything else (`runstate`).
"""

from __future__ import annotations

import json
import shutil
import time
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

from experiments import durable
from experiments.users import hand_to_user, make_folder
from topologies.files import FileError

_WAIT = """least(exposed_communication_ns,
    max(computed_ns) over (partition by step) - computed_ns) as wait_ns"""
_COLUMNS = {"steps": f"*, {_WAIT}", "spans": "*"}
"""Steps also say how long a rank waited for the slowest (see `ranktimes`)."""


def default_folder(name: str, run: str) -> Path:
    """Return ``runs/<name>-<time>-<id>`` below the current folder."""
    now = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{name}-{now}-{run}"


class Record:
    """Everything one run leaves; ``origin_ns`` is the zero of its clock (CLOCK_MONOTONIC).

    Attributes:
        pages: whether it leaves what is made for people to look at, its report and its trace.
    """

    def __init__(self, folder: Path, *, pages: bool = True) -> None:
        """Create the folder; raises FileError where something stands there already."""
        self.folder, self.pages = folder, pages
        self.origin_ns = time.monotonic_ns()
        try:
            make_folder(folder)
            if any(folder.iterdir()):
                raise FileError(f"{folder}: is not empty; --out must name a new or empty folder")
            self.logs = folder / "logs"
            self.logs.mkdir()
        except OSError as error:
            raise FileError(f"{folder}: cannot be made the run folder: {error.strerror}") from None
        self._files: dict[str, durable.Lines] = {}

    @cached_property
    def steps(self) -> list[dict[str, Any]]:
        """All ranks' steps so far, read back: kept, two hours of six ranks would take 600 MB."""
        return durable.read_lines(self.folder / "steps.jsonl")

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """All that has happened so far, read back."""
        return durable.read_lines(self.folder / "events.jsonl")

    @cached_property
    def samples(self) -> list[dict[str, Any]]:
        """All readings of the spans so far, read back."""
        return durable.read_lines(self.folder / "spans.jsonl")

    def seconds(self, now_ns: int) -> float:
        """Return a time of the run's clock in seconds."""
        return round((now_ns - self.origin_ns) / 1e9, 6)

    def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Append to ``events.jsonl`` what happened just now (``at_ns``, or now)."""
        now_ns = fields.pop("at_ns", None) or time.monotonic_ns()
        event = {"t_s": self.seconds(now_ns), "at_ns": now_ns, "kind": kind, **fields}
        self.__dict__.pop("events", None)
        self._append("events.jsonl", event)
        return event

    def step(self, step: dict[str, Any]) -> None:
        """Append one rank's step to ``steps.jsonl``."""
        self.__dict__.pop("steps", None)
        self._append("steps.jsonl", step)

    def sample(self, sample: dict[str, Any]) -> None:
        """Append one reading of a span's counters to ``spans.jsonl``."""
        self.__dict__.pop("samples", None)
        self._append("spans.jsonl", sample)

    def machine(self, look: dict[str, Any]) -> None:
        """Append a look at the machine to ``machine.jsonl``; times of its processors are sums."""
        self._append("machine.jsonl", {"t_s": self.seconds(look["at_ns"]), **look})

    def live(self, kind: str, **fields: Any) -> None:
        """Append to ``live.jsonl`` what somebody who watches is told now."""
        now_ns = time.monotonic_ns()
        line = {"t_s": self.seconds(now_ns), "at_ns": now_ns, "kind": kind, **fields}
        self._append("live.jsonl", line)

    def write(self, name: str, content: str | dict[str, Any]) -> Path:
        """Write a whole file so that it is never seen half done."""
        text = content if isinstance(content, str) else json.dumps(content, indent=1) + "\n"
        path = self.folder / name
        durable.write(path, text)
        return path

    def to_parquet(self) -> None:
        """Copy the step and span lines to Parquet files of the same names."""
        import duckdb

        with duckdb.connect() as database:
            for name in ("steps", "spans"):
                lines = self.folder / f"{name}.jsonl"
                if lines.exists() and lines.stat().st_size:  # empty: ended before its first line
                    table = database.read_json(str(lines))
                    with durable.replacing(self.folder / f"{name}.parquet") as part:
                        table.project(_COLUMNS[name]).write_parquet(str(part))

    def complete(self, result: dict[str, Any]) -> None:
        """Write ``result.json``, after which the folder is complete; all lines are on the disk."""
        for name in self._files:
            durable.settle(self.folder / name)
        self.write("result.json", result)

    def discard(self) -> None:
        """Remove everything written, for a run that could not begin."""
        for file in self._files.values():
            file.close()
        shutil.rmtree(self.folder)

    def close(self) -> None:
        """Close the files and hand the folder to the user that sudo was called by."""
        for file in self._files.values():
            file.close()
        hand_to_user(self.folder)

    def _append(self, name: str, line: dict[str, Any]) -> None:
        if name not in self._files:
            self._files[name] = durable.Lines(self.folder / name)
        self._files[name].append(json.dumps(line))
