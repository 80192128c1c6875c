"""A sweep's table: one Parquet file, a row for each phase of each run, replaced whole."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def write_table(path: Path, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows under the given columns (with their DuckDB types); what a row lacks is null."""
    import duckdb

    lines, part = path.with_name(f".{path.name}.lines"), path.with_name(f".{path.name}.part")
    try:
        with lines.open("w") as file:
            for row in rows:
                file.write(json.dumps({name: row.get(name) for name in columns}) + "\n")
        with duckdb.connect() as database:
            table = database.read_json(
                str(lines), columns=dict(columns), format="newline_delimited"
            )
            table.order("point, repetition").write_parquet(str(part))
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(path)
    finally:
        lines.unlink(missing_ok=True)
        part.unlink(missing_ok=True)
