"""Wishes of people at the page: checked as a scenario file is, then handed to the run."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from experiments.timeline import TimelineEvent
from topologies.files import FileError, as_model

SOON = "step 1"
"""Stands for the moment of a wish, which the run decides."""
ORDERS = ("resume", "finish")
"""What a run can be told that no file holds."""


def check(event: object) -> dict[str, Any]:
    """Return a wish as the run takes it; raises FileError for what a file may not hold, either."""
    if not isinstance(event, dict) or not event:
        raise FileError("wish: must hold keys and values, such as {upgrade: SPAN, with: NAME}")
    for order in ORDERS:
        if order in event:
            if event != {order: True}:
                raise FileError(f"wish: {order} stands alone: {{{order}: true}}")
            return event
    if "at" in event:
        raise FileError("wish.at: the run decides when: after the step that is under way")
    if event == {"pause": True}:
        return event  # until somebody resumes; a file says for how long
    as_model({"at": SOON, **event}, TimelineEvent, "wish")
    return event


def put(folder: Path, event: dict[str, Any]) -> str:
    """Append a checked wish to a run's ``wishes.jsonl`` by one write; return its id."""
    wish_id = secrets.token_hex(6)
    line = json.dumps({"id": wish_id, "event": event}) + "\n"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    file = os.open(folder / "wishes.jsonl", flags, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)
    return wish_id
