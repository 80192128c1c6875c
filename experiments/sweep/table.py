"""A sweep's table: one Parquet file, a row for each phase of each run, replaced whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from experiments import durable


def write_table(path: Path, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows under the given columns (with their DuckDB types); what a row lacks is null."""
    import duckdb

    lines = path.with_name(f".{path.name}.lines")
    try:
        with lines.open("w") as file:
            for row in rows:
                file.write(json.dumps({name: row.get(name) for name in columns}) + "\n")
        with duckdb.connect() as database, durable.replacing(path) as part:
            table = database.read_json(
                str(lines), columns=dict(columns), format="newline_delimited"
            )
            table.order("point, repetition").write_parquet(str(part))
    finally:
        lines.unlink(missing_ok=True)
