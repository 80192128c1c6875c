"""Where engines of runs keep their images from run to run: a folder for each that runs at once."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE = Path("/var/cache/spanlab")
"""Anything in it may be removed while no run goes on; the next one makes it anew."""
MAX_ENGINES = 16


@contextmanager
def data_root() -> Iterator[Path]:
    """Yield a folder for an engine's data that no other engine uses now: two would spoil it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    for number in range(MAX_ENGINES):
        with _lock(CACHE / f"engine-{number}.lock", wait=False) as mine:
            if mine:
                folder = CACHE / f"engine-{number}"
                folder.mkdir(mode=0o710, exist_ok=True)
                yield folder
                return
    raise AssertionError(f"more than {MAX_ENGINES} engines on one machine")


@contextmanager
def alone(name: str) -> Iterator[Path]:
    """Wait until no other run makes what lies in a file of the cache; yield that file's path."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with _lock(CACHE / f"{name}.lock", wait=True):
        yield CACHE / name


@contextmanager
def _lock(path: Path, wait: bool) -> Iterator[bool]:
    """Hold a lock on a file, which goes with this process; yield whether it was had."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(lock)
