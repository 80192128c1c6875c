"""Whether the process that a manifest names still lives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.manifest import start_of


def is_alive(manifest: Mapping[str, Any]) -> bool:
    """Say whether a run's process lives; one that its manifest does not name does not."""
    pid, began = manifest.get("pid"), manifest.get("pid_start")
    return isinstance(pid, int) and began is not None and start_of(pid) == began
