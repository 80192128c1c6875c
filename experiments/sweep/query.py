"""SQL over the tables of sweeps: reads what they left and nothing else, and writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from experiments.runstate import lacking, state_of
from experiments.sweep.columns import FOUND, IDENTITY, found_in
from experiments.sweep.ended import ended_well
from experiments.sweep.store import RUNS, TABLE
from topologies.files import FileError, read_json

VIEWS = {
    "points": "a row for each phase of each run",
    "steps": "a row for each step of each rank",
    "spans": "a row for each reading of a span's counters",
}


@dataclass(frozen=True)
class Answer:
    """What a question came to.

    Attributes:
        aside: of each run that was left out since it has no result, a sentence.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    aside: Sequence[str] = ()


def ask(question: str, folder: Path | None = None) -> Answer:
    """Answer a ``select`` over one sweep's folder, or over all sweeps and runs below ``runs``.

    Raises FileError for a folder without a table and for SQL that does not work, with the columns
    that there are.
    """
    top = Path("runs")
    if folder is None:
        sweeps = [path.parent for path in sorted(top.glob(f"*/{TABLE}"))]
        begun = [path.parent for path in sorted(top.glob("*/manifest.json"))]
    else:
        sweeps, begun = [folder] if (folder / TABLE).is_file() else [], []
    runs = [it for it in begun if state_of(it) == "complete"]
    if not sweeps and not runs:
        raise FileError(
            f"{folder or top}: holds no table of a sweep ({TABLE}); "
            "run ./spanlab sweep FILE first, or name its folder with --out"
        )
    with duckdb.connect() as database:
        _open(database, sweeps, runs)
        try:
            statements = database.extract_statements(question)
            if [it.type for it in statements] != [duckdb.StatementType.SELECT]:
                raise FileError("query: allowed: one select")
            cursor = database.execute(statements[0])
            columns = tuple(column[0] for column in cursor.description or ())
            aside = [lacking(it) for it in begun if it not in runs]
            return Answer(columns, cursor.fetchall(), aside)
        except duckdb.Error as error:
            raise FileError(_explained(database, error)) from None


def _open(
    database: duckdb.DuckDBPyConnection, sweeps: Sequence[Path], runs: Sequence[Path]
) -> None:
    """Define the views, then let the connection reach these folders alone, and change nothing."""
    columns = IDENTITY | FOUND
    about = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    database.execute(f"create table runs ({about})")
    rows = [[row.get(name) for name in columns] for run in runs for row in _rows(run)]
    if rows:
        database.executemany(f"insert into runs values ({', '.join('?' * len(columns))})", rows)
    tables = ", ".join(_quoted(sweep / TABLE) for sweep in sweeps)
    swept = f"select * from read_parquet([{tables}], union_by_name = true) union all by name "
    database.execute(f"create view points as {swept if sweeps else ''}select * from runs")
    for name in ("steps", "spans"):
        found = [path for sweep in sweeps for path in (sweep / RUNS).glob(f"*/{name}.parquet")]
        found += [path for run in runs if (path := run / f"{name}.parquet").is_file()]
        if found:
            files = ", ".join(map(_quoted, sorted(found)))
            database.execute(
                f"create view {name} as select parse_path(filename)[-2] as folder, "
                f"if(parse_path(filename)[-3] = '{RUNS}', parse_path(filename)[-4], null) "
                "as sweep_folder, * exclude (filename) "
                f"from read_parquet([{files}], union_by_name = true, filename = true)"
            )
    allowed = ", ".join(map(_quoted, [*sweeps, *runs]))
    database.execute(f"set allowed_directories = [{allowed}]")
    database.execute("set enable_external_access = false")
    database.execute("set lock_configuration = true")


def _rows(run: Path) -> list[dict[str, Any]]:
    """Return the rows of a run that belongs to no sweep; none of one that is not understood."""
    try:
        result = read_json(run / "result.json")
        seed = read_json(run / "manifest.json")["seed"]
        ended = ended_well(0, run.name, seed, result, None)
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [{**row, "machine": None} for row in found_in(ended)]


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
