"""A lab's files, copied to where a student edits them."""

from __future__ import annotations

import shutil
from pathlib import Path

from experiments.labs.answers import NAME
from experiments.labs.lab import Lab
from experiments.users import hand_to_user
from topologies.files import FileError


def start(lab: Lab, folder: Path) -> list[Path]:
    """Copy a lab's files into a new or empty folder and return them.

    Raises FileError where something is in the way: a student's work is never written over.
    """
    taken = f"name another: ./spanlab lab start {lab.number} DIR"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FileError(f"{folder}: is not empty; edit what is there, or {taken}")
        shipped = sorted(lab.files.glob("*.yaml"), key=lambda path: (path.name == NAME, path.name))
        copies = [Path(shutil.copyfile(path, folder / path.name)) for path in shipped]
    except OSError as error:
        raise FileError(f"{folder}: cannot be written to ({error.strerror}); {taken}") from None
    hand_to_user(folder)
    return copies
