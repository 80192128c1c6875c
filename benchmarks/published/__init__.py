"""Published figures, each file with its source in its header."""

from __future__ import annotations

import csv
from pathlib import Path


def rows(name: str) -> list[dict[str, float | None]]:
    """Return the rows of a file as numbers by column; an empty cell is None."""
    text = Path(__file__).with_name(f"{name}.csv").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [
        {column: float(cell) if cell else None for column, cell in row.items()}
        for row in csv.DictReader(lines)
    ]
