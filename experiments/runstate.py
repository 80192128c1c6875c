"""How far a run folder is: absent, partial or complete, and what to type next.

Its files are written so that it is never anything else: see `record`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from experiments.manifest import start_of
from topologies.files import FileError, read_json

State = Literal["absent", "partial", "complete"]


def state_of(folder: Path) -> State:
    """Return how far a folder is.

    ``absent``: nothing tells of a run. ``partial``: the run goes on, or was ended before it could
    write its result; what its lines say is true. ``complete``: the result and all it is made from.
    """
    if (folder / "result.json").is_file():
        return "complete"
    return "partial" if manifest_in(folder) else "absent"


def lacking(folder: Path) -> str:
    """Say of a folder that is not complete what it is, and what to do."""
    manifest = manifest_in(folder)
    if not manifest:
        why = "name the folder of a run that has ended, such as runs/three-campuses-..."
    elif is_alive(manifest):
        why = f"its run goes on, process {manifest['pid']}; wait for its end"
    else:
        why = (
            "its run was ended before it could write one; what it had written can be watched: "
            f"./spanlab dashboard {folder}"
        )
    return f"{folder}: holds no result.json: {why}"


def is_alive(manifest: Mapping[str, Any]) -> bool:
    """Say whether a run's process lives; one that its manifest does not name does not."""
    pid, began = manifest.get("pid"), manifest.get("pid_start")
    return isinstance(pid, int) and began is not None and start_of(pid) == began


def manifest_in(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a run folder; None where there is none that can be read."""
    try:
        return read_json(folder / "manifest.json")
    except FileError:
        return None
