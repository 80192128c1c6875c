"""What the kernel tells of processes, for who asks all the time.

Not by pathlib, which makes every part of every path known to the interpreter: numbers of processes
and names of files, thousands a minute. They are forgotten again, but the table that they are noted
in grows by megabytes.
"""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")


def data(pid: int, name: str, proc: Path = PROC) -> bytes:
    """Return what a file of a process holds; raises OSError where there is none of that number."""
    with open(f"{proc}/{pid}/{name}", "rb") as file:  # noqa: PTH123
        return file.read()


def text(pid: int, name: str, proc: Path = PROC) -> str:
    """Return the same as text, whatever a process calls itself."""
    return data(pid, name, proc).decode(errors="replace")
