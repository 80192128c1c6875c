"""What dashboards wish of a run that goes on: lines that they append to a file of its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = "wishes.jsonl"
MAX_LINE_BYTES = 1 << 16
LONGEST_ID = 64


@dataclass(frozen=True)
class Wish:
    """An event wished, by the name that its answer is to have; or what is wrong with the line."""

    id: str
    event: dict[str, Any]
    fault: str | None = None


def wish_of(line: bytes) -> Wish:
    """Read a line of the file; one that holds no wish has a ``fault``."""
    form = 'write {"id": "some text", "event": {...}}, an event as the timeline of a file has it'
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return Wish("", {}, f"a wish is one line of JSON: {form}")
    name = data.get("id") if isinstance(data, dict) else None
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID:
        return Wish("", {}, f"a wish has an id of 1 to {LONGEST_ID} characters: {form}")
    event = data.get("event")
    if not isinstance(event, dict) or set(data) != {"id", "event"}:
        return Wish(name, {}, f"a wish has an id and an event, and nothing else: {form}")
    return Wish(name, event)


class Wishes:
    """The file, read as it grows."""

    def __init__(self, folder: Path) -> None:
        """Make the file in a run's folder, which says that the run listens."""
        self._path = folder / FILE
        self._path.touch()
        self._read, self._rest, self._long = 0, b"", False

    def new(self) -> Iterator[Wish]:
        """Yield what has been wished since this was last asked."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                more = file.read(MAX_LINE_BYTES)
        except OSError:
            return  # somebody took the file away, which training outlives
        self._read += len(more)
        *lines, self._rest = (self._rest + more).split(b"\n")
        for line in lines:
            if self._long or len(line) > MAX_LINE_BYTES:
                self._long = False
                yield Wish("", {}, f"a wish has {MAX_LINE_BYTES} bytes at the most")
            elif line.strip():
                yield wish_of(line)
        if len(self._rest) > MAX_LINE_BYTES:  # its end is still to come
            self._rest, self._long = b"", True
