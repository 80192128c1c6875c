"""What root makes belongs to the user that sudo was called by."""

from __future__ import annotations

import os
from pathlib import Path

from experiments.durable import settle


def keep_others_from_writing() -> None:
    """Let nothing that this process and its children make be written by others."""
    os.umask(os.umask(0o022) | 0o022)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are not there, on the disk; raises OSError."""
    made = [it for it in (folder, *folder.parents) if not it.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for it in made:
        _give(it)
        settle(it.parent)


def hand_to_user(path: Path) -> None:
    """Give a file, or a folder and all in it, to that user, if there is one."""
    for it in (path, *path.rglob("*")):
        _give(it)


def _give(path: Path) -> None:
    # Never what a link leads to: whoever may write in the folder could name any file by one.
    if (user := os.environ.get("SUDO_UID")) and (group := os.environ.get("SUDO_GID")):
        os.lchown(path, int(user), int(group))
