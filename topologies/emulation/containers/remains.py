"""What a dead run left of its containers: found by what its folder holds, and removed."""

from __future__ import annotations

from pathlib import Path

from topologies.emulation.containers import cgroup
from topologies.emulation.containers.container import remove
from topologies.emulation.containers.engine import CONFIGURATION, RECORD, Engine, cgroup_parent


def clear(folder: Path) -> None:
    """Remove what a run whose processes have ended left on an engine or in control groups."""
    record = folder / RECORD
    if record.exists() and (address := record.read_text()):
        remove(Engine(address), folder.name)
    if (folder / CONFIGURATION).exists():
        cgroup.remove(cgroup_parent(folder.name))
