"""Files that grow by whole lines, read as they grow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from topologies.files import as_json, plain_file

MOST_BYTES = 32 << 20
"""That are read at once."""


class Growing:
    """A JSON Lines file that somebody else appends to; it need not exist yet."""

    def __init__(self, path: Path) -> None:
        """Begin at the start of a file."""
        self._path = path
        self._offset = 0

    def read(self) -> list[dict[str, Any]]:
        """Return the objects of the whole lines that have come since; a torn line waits.

        A line that is no object is left out: what was written once must not stop the page.
        """
        try:
            with open(self._path, "rb", opener=plain_file) as file:
                file.seek(self._offset)
                found = file.read(MOST_BYTES)
        except OSError:  # not there yet, or no file
            return []
        whole = found[: found.rfind(b"\n") + 1]
        if not whole and len(found) == MOST_BYTES:
            whole = found  # no line of ours is as long
        self._offset += len(whole)
        return [line for raw in whole.splitlines() if (line := _object(raw)) is not None]


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        found = as_json(raw)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
