"""What runs in containers have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.runs import Run, command_of
from topologies.emulation.containers import cgroup
from topologies.emulation.containers.engine import cgroup_parent


def in_containers(**limits: Any) -> dict[str, Any]:
    return {"emulate__runtime": {"name": "docker", **limits}}


def inside(run: Run) -> list[int]:
    """Return a run's processes inside containers: launchers and ranks."""
    return [pid for pid in run.marked() if contained(pid)]


def contained(pid: int) -> bool:
    """Ask whether a process is in another mount namespace and runs a launcher or a rank."""
    try:
        apart = Path(f"/proc/{pid}/ns/pid").readlink() != Path("/proc/self/ns/pid").readlink()
    except OSError:
        return False
    return apart and "-m workloads" in command_of(pid).replace("-BIm", "-m")


def groups_left(run: Run) -> list[Path]:
    name = cgroup_parent(run.name)
    return [*cgroup.ROOT.glob(name), *cgroup.ROOT.glob(f"*/{name}")]
