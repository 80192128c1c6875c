"""Which folders below /run/spanlab have an owner that lives: one locked by it, and no other.

A claim is a folder and the lock on it. The kernel lets go of the lock when its holder ends,
whatever ended it, and of nothing sooner: so a run that is just starting, or just ending, is never
taken for a dead one, and a dead one is known as such at once. Who makes a claim, or removes those
of the dead, does so alone: see `gate`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STATE = Path("/run/spanlab")
_OWNER = "owner"


@contextmanager
def gate(*, wait: bool = True) -> Iterator[None]:
    """Hold what only one process may have at a time: the right to make and to remove claims.

    The folder of all claims is itself the lock; it goes once there are none. Not to be entered
    twice by one process. Raises BlockingIOError unless it may ``wait``.
    """
    while True:
        STATE.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            lock = _locked(STATE, wait=wait)
        except FileNotFoundError:
            continue
        if _is(lock, STATE):
            break
        os.close(lock)  # removed by who had it before
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            STATE.rmdir()
        os.close(lock)


@contextmanager
def claim(name: str) -> Iterator[Path]:
    """Yield a private folder of that name, this process's own until the end."""
    folder, lock = STATE / name, None
    try:
        with gate():
            folder.mkdir(mode=0o700)
            lock = _locked(folder)
            (folder / _OWNER).write_text(identity(os.getpid()))
        yield folder
    finally:
        if lock is not None:  # otherwise it is nobody's, and goes with the dead
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
        with contextlib.suppress(BlockingIOError), gate(wait=False):
            pass  # and the folder of all claims goes, if this was the last


def claims() -> list[Path]:
    """Return the folders of all claims, of the living and of the dead."""
    try:
        return sorted(it for it in STATE.iterdir() if it.is_dir() and not it.is_symlink())
    except OSError:
        return []


def is_dead(folder: Path) -> bool:
    """Ask whether nobody holds a claim any more; only who has the `gate` may ask."""
    try:
        os.close(_locked(folder, wait=False))
    except OSError:
        return False  # held, or just removed by its owner
    return True


def living() -> list[tuple[Path, int]]:
    """Return every claim whose owner's process lives, and that process."""
    found = []
    for folder in claims():
        try:
            owner = (folder / _OWNER).read_text()
            if owner == identity(int(owner.split()[0])):
                found.append((folder, int(owner.split()[0])))
        except (OSError, ValueError, IndexError):
            continue  # just starting, or just ending
    return found


def identity(pid: int) -> str:
    """Return a process id with its start time, which together never come twice.

    One that has ended, and that nobody has waited for yet, is dead.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return f"{pid} dead"
    return f"{pid} dead" if fields[0] in "ZX" else f"{pid} {fields[19]}"


def _locked(folder: Path, *, wait: bool = True) -> int:
    """Return the descriptor of a folder, locked; raises BlockingIOError where another has it."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(folder, flags)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _is(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
