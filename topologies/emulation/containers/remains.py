"""What a dead run left of its containers: found by what its folder holds, and removed."""

from __future__ import annotations

from pathlib import Path

from topologies.emulation.containers import cgroup
from topologies.emulation.containers.container import remove
from topologies.emulation.containers.engine import CONFIGURATION, RECORD, Engine, cgroup_parent
from topologies.emulation.containers.image import forget_half_made


def clear(folder: Path) -> str | None:
    """Remove what a run whose processes have ended left on an engine, in control groups, in caches.

    Return why something of it stays, if it does.
    """
    forget_half_made(folder.name)
    if (folder / CONFIGURATION).exists():
        cgroup.remove(cgroup_parent(folder.name))
    record = folder / RECORD
    address = record.read_text() if record.exists() else ""
    if address and not remove(Engine(address), folder.name):
        return (
            f"its containers, until the Docker engine at {address} answers; should it never, "
            f"rm -r {folder}"
        )
    return None
