"""SQL over the tables of sweeps: reads what they left and nothing else, and writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from experiments.sweep.store import RUNS, TABLE
from topologies.files import FileError

VIEWS = {
    "points": "a row for each phase of each run",
    "steps": "a row for each step of each rank",
    "spans": "a row for each reading of a span's counters",
}


@dataclass(frozen=True)
class Answer:
    """What a question came to."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


def ask(question: str, folder: Path | None = None) -> Answer:
    """Answer a ``select`` over one sweep's folder, or over all below ``runs``.

    Raises FileError for a folder without a sweep and for SQL that does not work, with the columns
    that there are.
    """
    sweeps = (
        [folder] if folder else [path.parent for path in sorted(Path("runs").glob(f"*/{TABLE}"))]
    )
    tables = [sweep / TABLE for sweep in sweeps]
    if not tables or not all(table.is_file() for table in tables):
        raise FileError(
            f"{folder or Path('runs')}: holds no table of a sweep ({TABLE}); "
            "run ./spanlab sweep FILE first, or name its folder with --out"
        )
    with duckdb.connect() as database:
        _open(database, sweeps)
        try:
            statements = database.extract_statements(question)
            if [it.type for it in statements] != [duckdb.StatementType.SELECT]:
                raise FileError("query: allowed: one select")
            cursor = database.execute(statements[0])
            columns = tuple(column[0] for column in cursor.description or ())
            return Answer(columns, cursor.fetchall())
        except duckdb.Error as error:
            raise FileError(_explained(database, error)) from None


def _open(database: duckdb.DuckDBPyConnection, sweeps: Sequence[Path]) -> None:
    """Define the views, then let the connection reach these folders alone, and change nothing."""
    tables = ", ".join(_quoted(sweep / TABLE) for sweep in sweeps)
    database.execute(
        f"create view points as select * from read_parquet([{tables}], union_by_name = true)"
    )
    for name in ("steps", "spans"):
        found = [path for sweep in sweeps for path in (sweep / RUNS).glob(f"*/{name}.parquet")]
        if found:
            files = ", ".join(map(_quoted, sorted(found)))
            database.execute(
                f"create view {name} as select parse_path(filename)[-4] as sweep_folder, "
                "parse_path(filename)[-2] as folder, * exclude (filename) "
                f"from read_parquet([{files}], union_by_name = true, filename = true)"
            )
    allowed = ", ".join(_quoted(sweep) for sweep in sweeps)
    database.execute(f"set allowed_directories = [{allowed}]")
    database.execute("set enable_external_access = false")
    database.execute("set lock_configuration = true")


def _quoted(path: Path) -> str:
    text = str(path.resolve()).replace("'", "''")
    return f"'{text}'"


def _explained(database: duckdb.DuckDBPyConnection, error: duckdb.Error) -> str:
    """Say what is wrong with a question, and what it could ask for."""
    said = str(error).strip().splitlines()[0]
    lines = [f"query: {said}"]
    for name, what in VIEWS.items():
        try:
            columns = database.execute(f"select * from {name} limit 0").description or []
        except duckdb.CatalogException:
            continue  # no run left any
        lines.append(f"  {name}, {what}: {', '.join(column[0] for column in columns)}")
    return "\n".join(lines)
