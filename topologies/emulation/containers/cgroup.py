"""A container's control groups, of version 1 or 2: limits in force, and what ran into them."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_UNLIMITED = 2**60
"""Version 1 writes the largest multiple of a page for no limit."""


@dataclass(frozen=True)
class Usage:
    """What a container was limited to and came to.

    Attributes:
        memory_limit_bytes, cpus: the limits in force; None where there is none.
        memory_peak_bytes: the most it ever held, files that it read included; None where the kernel
            does not tell (before 5.19 under version 2).
        throttled_s: for how long it could have run and was not let.
        killed: processes that the kernel killed because the container was out of memory.
    """

    memory_limit_bytes: int | None
    cpus: float | None
    memory_peak_bytes: int | None
    throttled_s: float
    killed: int


def usage(pid: int, root: Path = ROOT, proc: Path = Path("/proc")) -> Usage:
    """Read the control groups of a process; raises OSError when it is gone."""
    memory, cpu = (_folder(pid, name, root, proc) for name in ("memory", "cpu"))
    stat = _pairs(cpu / "cpu.stat")
    if (memory / "memory.max").exists():
        quota, period = (cpu / "cpu.max").read_text().split()
        peak = memory / "memory.peak"
        return Usage(
            memory_limit_bytes=_limit((memory / "memory.max").read_text()),
            cpus=None if quota == "max" else int(quota) / int(period),
            memory_peak_bytes=int(peak.read_text()) if peak.exists() else None,
            throttled_s=stat.get("throttled_usec", 0) / 1e6,
            killed=_pairs(memory / "memory.events").get("oom_kill", 0),
        )
    quota_us = int((cpu / "cpu.cfs_quota_us").read_text())
    return Usage(
        memory_limit_bytes=_limit((memory / "memory.limit_in_bytes").read_text()),
        cpus=None if quota_us < 0 else quota_us / int((cpu / "cpu.cfs_period_us").read_text()),
        memory_peak_bytes=int((memory / "memory.max_usage_in_bytes").read_text()),
        throttled_s=stat.get("throttled_time", 0) / 1e9,
        killed=_pairs(memory / "memory.oom_control").get("oom_kill", 0),
    )


def limiting(pid: int, root: Path = ROOT, proc: Path = Path("/proc")) -> list[Path]:
    """Return the control groups that may keep a process from running: its own and those above."""
    try:
        folder = _folder(pid, "cpu", root, proc)
    except OSError:
        return []  # it is gone, or there are no control groups
    above = [it for it in (folder, *folder.parents) if it.is_relative_to(root)]
    return [it for it in above if (it / "cpu.stat").exists()]


def throttled_ns(group: Path) -> int:
    """Return for how long a control group kept processes from running; 0 once it is gone."""
    try:
        stat = _pairs(group / "cpu.stat")
    except OSError:
        return 0
    return stat.get("throttled_time", 1000 * stat.get("throttled_usec", 0))


def remove(name: str, root: Path = ROOT, within_s: float = 2.0) -> None:
    """Remove the empty control groups of that name, in every hierarchy, and those inside them.

    Waits up to ``within_s`` for what still ends in them.
    """
    deadline = time.monotonic() + within_s
    while tops := [top for top in (*root.glob(name), *root.glob(f"*/{name}")) if top.is_dir()]:
        folders = [folder for top in tops for folder in (top, *top.rglob("*")) if folder.is_dir()]
        for folder in sorted(folders, key=lambda folder: -len(folder.parts)):
            with contextlib.suppress(OSError):
                folder.rmdir()
        if time.monotonic() > deadline:
            return
        time.sleep(0.02)


def _folder(pid: int, controller: str, root: Path, proc: Path) -> Path:
    """Return where a controller keeps its files about a process."""
    unified = root
    for line in (proc / str(pid) / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return root / controller / path.lstrip("/")
        if not controllers:
            unified = root / path.lstrip("/")
    return unified


def _pairs(path: Path) -> dict[str, int]:
    lines = (line.split() for line in path.read_text().splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) == 2}


def _limit(text: str) -> int | None:
    value = text.strip()
    return None if value == "max" or int(value) > _UNLIMITED else int(value)
