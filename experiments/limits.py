"""What a machine may run out of: asked before a run, and said in a sentence when it happens."""

from __future__ import annotations

import errno
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.errors import RunFailed
from topologies.emulation.claims import STATE
from topologies.emulation.errors import MachineError
from topologies.graph import Graph

DISK_BYTES = 32_000_000
"""What a run folder takes at the least: its report alone is 5 MB."""
DESCRIPTORS, DESCRIPTORS_EACH = 200, 12
"""What a run opens at once by itself, and for each host, switch and span: for three campuses of
two workers 90 in this process and 130 in ovs-vswitchd."""
_FULL = {errno.ENOSPC, errno.EDQUOT}


def check_disk(folder: Path) -> None:
    """Raise MachineError where a disk has no room for a run folder."""
    place = next(it for it in (folder, *folder.absolute().parents) if it.exists())
    left = _left(place)
    if left < DISK_BYTES:
        raise MachineError(
            f"the disk of {place} has {left / 1e6:.0f} MB left, and a run needs "
            f"{DISK_BYTES / 1e6:.0f} MB: free some, or choose another disk with --out DIR"
        )


def allow_descriptors(graph: Graph) -> None:
    """Raise this process's own limit of open files to what a network takes, if it is lower.

    Raises MachineError where that is not permitted.
    """
    wanted = DESCRIPTORS + DESCRIPTORS_EACH * (
        len(graph.hosts) + len(graph.switches) + len(graph.spans)
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise MachineError(
                f"{hard} files may be open at once here, and this network takes up to {wanted}: "
                f"raise the limit with ulimit -n {wanted}, as root, in the shell that starts it"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def sentence(error: BaseException, folder: Path) -> str | None:
    """Say what ran out and what to do, in one line; None for an error that is none of these.

    ``folder`` is the run's, which is what fills a disk most often.
    """
    number = error.errno if isinstance(error, OSError) else None
    if is_full(error):
        place = min((folder, STATE, Path(tempfile.gettempdir())), key=_left)
        return (
            f"the disk of {place} is full: free some of it, or choose another one with --out DIR, "
            "and run it again; of this run stays what it had written: "
            f"./spanlab dashboard {folder}"
        )
    if number == errno.EMFILE:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return (
            f"the run ran out of file descriptors, of which it may have {soft}: raise the limit "
            "with ulimit -n in the shell that starts it, and run it again"
        )
    if number == errno.ENFILE:
        return (
            "the machine ran out of file descriptors: raise the limit with "
            "sysctl -w fs.file-max=1000000, and run it again"
        )
    if number == errno.ENOMEM or isinstance(error, MemoryError):
        return "the machine ran out of memory: end what else runs, or take fewer workers"
    if number in (errno.EIO, errno.EROFS):
        return f"the disk of {folder} cannot be written ({os.strerror(number)}): look at dmesg"
    return None


def told(error: Exception, folder: Path) -> str:
    """Return that sentence, and see to it that the run can still be brought to an end.

    Of an error that followed from one of these, it is theirs; of another one of a run's, its text.
    Raises those of the machine anew where they are none of these; RunFailed where the disk is full,
    on which no result can be written: the folder stays as it is, for the reader of a run that did
    not end.
    """
    for cause in _chain(error):
        if said := sentence(cause, folder):
            break
    else:
        if isinstance(error, (OSError, MemoryError)):
            raise error
        return str(error)
    if is_full(cause):
        raise RunFailed(said) from None
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return said


@contextmanager
def telling(folder: Path) -> Iterator[None]:
    """Raise RunFailed, with the sentence, for what runs out inside."""
    try:
        yield
    except Exception as error:  # DuckDB has one of its own for a full disk
        said = None if isinstance(error, RunFailed) else sentence(error, folder)
        if said is None:
            raise
        raise RunFailed(said) from None


def is_full(error: BaseException) -> bool:
    """Return whether an error says that a disk has no room."""
    number = error.errno if isinstance(error, OSError) else None
    return number in _FULL or "No space left on device" in str(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, then what it followed from."""
    yield error
    if error.__context__ is not None:
        yield from _chain(error.__context__)


def _left(place: Path) -> int:
    """Return what a disk has left, in bytes."""
    try:
        told = os.statvfs(place)
    except OSError:
        return 1 << 62
    return told.f_bavail * told.f_frsize
