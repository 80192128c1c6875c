"""What a rank's network interface has sent and received, headers and repeats included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Moved(NamedTuple):
    """Bytes of frames on the wire."""

    sent: int
    received: int

    def since(self, before: Moved) -> Moved:
        """Return what has moved after an earlier reading."""
        return Moved(self.sent - before.sent, self.received - before.received)


@contextmanager
def counters_of(interface: str) -> Iterator[Callable[[], Moved]]:
    """Yield what reads the counters of an interface of this process's network namespace.

    Raises OSError when the kernel shows none, ValueError when it has no such interface.
    """
    with Path("/proc/self/net/dev").open("rb", buffering=0) as file:

        def moved() -> Moved:
            file.seek(0)
            return moved_in(file.read(1 << 16).decode(), interface)

        moved()
        yield moved


def moved_in(table: str, interface: str) -> Moved:
    """Read an interface's line of ``/proc/net/dev`` (proc(5)); raises ValueError without one."""
    for line in table.splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == interface:
            counts = numbers.split()
            return Moved(sent=int(counts[8]), received=int(counts[0]))
    raise ValueError(f"no network interface {interface} here")
