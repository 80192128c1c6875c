"""Pieces of Markdown that generated pages are made of. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

LEAD = "Made from {source} when this site was built.\n"
"""Under the title of a generated page, since nobody can edit it."""


def page(title: str, source: str, *parts: str) -> str:
    """Return a generated page that says what it was made from."""
    return "\n".join([f"# {title}\n", LEAD.format(source=source), *parts])


def code(text: object) -> str:
    """Return a value as a file states it, as code; lists and mappings in flow style."""
    if isinstance(text, bool | dict | list | tuple) or text is None:
        text = json.dumps(text).replace('"', "")
    return f"`{text}`"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; what cells hold is Markdown, in which only bars are escaped."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", r"\|").split())
