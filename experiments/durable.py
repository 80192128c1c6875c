"""Files that are whole or not there, whatever ends the writer: a signal, a full disk, a power cut.

A whole file is written beside its place, reaches the disk, then takes its name, which reaches the
disk as well. A file that grows does so by whole lines, each one call of the kernel: a kill leaves
no half of a line. A power cut may, in what had not been settled; readers stop there (`read_lines`).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_MODE = 0o644


def write(path: Path, content: str | bytes) -> None:
    """Write a file, or replace it; raises OSError, and what was there before stays."""
    data = content.encode() if isinstance(content, str) else content
    with replacing(path) as part:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
        finally:
            os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield where the block is to write the file that then takes its place; raises OSError."""
    part = path.with_name(f".{path.name}.part")
    with contextlib.suppress(FileNotFoundError):
        part.unlink()  # of a writer that was killed, or a link to elsewhere
    try:
        yield part
        settle(part)
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    settle(path.parent)


def settle(path: Path) -> None:
    """Let a file, or the names in a folder, reach the disk; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Lines:
    """A file of JSON Lines that grows."""

    def __init__(self, path: Path) -> None:
        """Make the file, or go on with it."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor: int | None = os.open(path, flags, _MODE)
        self._path = path

    def append(self, line: str, *, settled: bool = False) -> None:
        """Append a line; of one that has no room, nothing stays. Raises OSError.

        If ``settled``, it is then on the disk.
        """
        assert self._descriptor is not None, "closed"
        data, written = line.encode() + b"\n", 0
        try:
            if (written := os.write(self._descriptor, data)) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
            if settled:
                os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
            raise

    def close(self) -> None:
        """Close it, if that was not done."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def append(path: Path, line: str) -> None:
    """Append a line that is then on the disk; of one that has no room, nothing stays."""
    made = not path.exists()
    lines = Lines(path)
    try:
        lines.append(line, settled=True)
        if made:
            settle(path.parent)
    finally:
        lines.close()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a file that grew, up to the first that is none."""
    found: list[dict[str, Any]] = []
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return found
    for raw in data[: data.rfind(b"\n") + 1].splitlines():
        try:
            line = json.loads(raw)
        except ValueError:
            break
        if not isinstance(line, dict):
            break
        found.append(line)
    return found
