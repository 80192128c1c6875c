"""Published figures, each file with its source in its header."""

from __future__ import annotations

import csv
from pathlib import Path


def rows(name: str) -> list[dict[str, float | None]]:
    """Return the rows of a file as numbers by column; an empty cell is None."""
    return [
        {column: float(cell) if cell else None for column, cell in row.items()}
        for row in texts(name)
    ]


def texts(name: str) -> list[dict[str, str]]:
    """Return the rows of a file as they are, by column."""
    text = Path(__file__).with_name(f"{name}.csv").read_text()
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
