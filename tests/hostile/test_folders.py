"""Run folders that somebody made up: read or refused, shown as text, and nothing else touched."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from benchmarks.fuzz import nasty
from benchmarks.fuzz.edits import places, within
from benchmarks.fuzz.judging import ended_after
from experiments.cli import compare
from experiments.dashboard.follow import Follower
from experiments.finished import read_run
from experiments.reports.making import make
from experiments.sweep.conduct import sweep
from tests.fakes.sweeps import Made, Nobody, made, write_sweep
from topologies.errors import NetworkError

SCRIPTS = ("[/nothing]", "<script>alert(1)", "<img src=x", "</script><script>alert(2)")
VALUES = (*nasty.VALUES, *SCRIPTS, float("nan"), float("inf"), 10**30, -(10**15), [1] * 50)
FILES = ("result.json", "manifest.json", "events.jsonl", "steps.jsonl", "live.jsonl")
LIMIT_S = 10.0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as runs leave it."""
    from experiments.sweep.points import expand
    from experiments.sweep.spec import load_sweep

    folder = tmp_path_factory.mktemp("whole")
    point = expand(*load_sweep(write_sweep(folder)), "sweep")[0]
    made(point, folder / "run")
    return folder / "run"


def edited(raw: str, changes: list[tuple[int, int]]) -> str:
    """Return JSON, or lines of it, with values at some places replaced by others."""
    lines = [json.loads(line) for line in raw.splitlines()] if raw.count("\n{") else None
    data = lines if lines is not None else json.loads(raw)
    for where, what in changes:
        every = list(places(data)) or [()]
        if not every[0]:
            break
        place = every[where % len(every)]
        holder, value = within(data, place[:-1]), deepcopy(VALUES[what % len(VALUES)])
        if what % 7 == 0:
            del holder[place[-1]]
        else:
            holder[place[-1]] = value
    return "".join(f"{json.dumps(it)}\n" for it in lines) if lines is not None else json.dumps(data)


def as_a_report(folder: Path) -> None:
    text = make([folder]).path.read_text()
    for script in SCRIPTS[1:]:
        assert script not in text, script


def as_a_comparison(folder: Path) -> None:
    for as_json in (True, False):
        with contextlib.redirect_stdout(io.StringIO()):
            compare([folder], None, 0.03, True, as_json)


def as_a_page(folder: Path) -> None:
    follower = Follower(folder)
    for _ in range(2):
        json.dumps(follower.poll())


@contextlib.contextmanager
def nothing_else_changes(folder: Path) -> Iterator[None]:
    beside = sorted(folder.parent.iterdir())
    yield
    assert sorted(folder.parent.iterdir()) == beside


@pytest.mark.parametrize(
    ("treat", "count"),
    [
        (as_a_report, 10),
        (as_a_comparison, 25),
        (as_a_page, 60),
        *(
            pytest.param(treat, 300, marks=pytest.mark.thorough)
            for treat in (as_a_report, as_a_comparison, as_a_page)
        ),
    ],
)
def test_made_up_folders_are_read_or_refused(
    whole: Path, tmp_path: Path, treat: Callable[[Path], None], count: int
) -> None:
    folder = tmp_path / "run"
    accepted = 0

    @seed(1)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.sampled_from(FILES),
        st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 9999)), max_size=3),
    )
    def each(name: str, changes: list[tuple[int, int]]) -> None:
        nonlocal accepted
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        file = folder / name
        if file.exists():
            file.write_text(edited(file.read_text(), changes))
        with nothing_else_changes(folder), ended_after(LIMIT_S), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # numbers that are none
            try:
                treat(folder)
            except NetworkError as error:
                assert str(folder) in str(error), error
                assert all(it.isprintable() or it == "\n" for it in str(error))
            else:
                accepted += 1

    each()
    assert accepted >= count / 10


TEXTS: dict[str, Any] = {
    "deep": "[" * 100_000,
    "deep, within": '{"fidelity": ' * 100_000,
    "a list": "[]",
    "a number": "1" * 10_000,
    "nothing": "",
    "half": '{"a": ',
    "no text": b"\xff\xfe\x00",
    "a surrogate": '{"run": "\\ud800", "headline": "\\ud800"}',
}


@pytest.mark.parametrize("name", ["result.json", "manifest.json", "events.jsonl", "steps.parquet"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_files_that_are_not_what_a_run_leaves(
    whole: Path, tmp_path: Path, name: str, text: str | bytes
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    for treat in (as_a_report, as_a_comparison, as_a_page):
        with contextlib.suppress(NetworkError), ended_after(LIMIT_S):
            treat(folder)


@pytest.mark.parametrize("make_it", [os.mkfifo, os.mkdir])
@pytest.mark.parametrize("name", [*FILES, "steps.parquet", "session.yaml"])
def test_what_is_no_file_is_not_waited_for(
    whole: Path, tmp_path: Path, name: str, make_it: Callable[[Path], None]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    (folder / name).unlink(missing_ok=True)
    make_it(folder / name)
    for treat in (as_a_report, as_a_comparison, as_a_page):
        with contextlib.suppress(NetworkError):
            treat(folder)


@pytest.mark.parametrize("name", ["result.json", "manifest.json", "steps.parquet", "events.jsonl"])
def test_a_link_in_a_folder_leads_to_nothing_elsewhere(
    whole: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    (folder / name).rename(tmp_path / "secret")
    (folder / name).symlink_to(tmp_path / "secret")
    with pytest.raises(NetworkError, match="copy it there"):
        as_a_report(folder)


def test_a_page_is_written_over_no_other_file(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    secret = tmp_path / "secret"
    secret.write_text("ours")
    for name in ("report.html", ".report.html.part"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(secret)
    as_a_report(folder)
    assert secret.read_text() == "ours"
    assert not (folder / "report.html").is_symlink()


def test_a_table_of_too_many_rows_is_refused_unread(whole: Path, tmp_path: Path) -> None:
    """A table of a million million equal rows takes a few kilobytes."""
    import duckdb

    from experiments import understood

    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    with duckdb.connect() as database:
        rows = database.sql(f"select 1 as step, 0 as rank from range({understood.MOST_ROWS + 1})")
        rows.write_parquet(str(folder / "steps.parquet"))
    with pytest.raises(NetworkError, match="rows"), ended_after(LIMIT_S):
        read_run(folder)


@pytest.fixture(scope="module")
def whole_sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as sweeps leave it."""
    folder = tmp_path_factory.mktemp("sweep")
    sweep(write_sweep(folder), Made(), Nobody(), folder / "runs")
    return folder / "runs"


@pytest.mark.parametrize("count", [8, pytest.param(300, marks=pytest.mark.thorough)])
def test_made_up_sweeps_are_shown_or_refused(whole_sweep: Path, tmp_path: Path, count: int) -> None:
    folder = tmp_path / "run"
    read: list[str] = []

    @seed(2)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 9999)), max_size=3))
    def each(changes: list[tuple[int, int]]) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole_sweep, folder)
        ledger = folder / "ended.jsonl"
        ledger.write_text(edited(ledger.read_text(), changes))
        with ended_after(LIMIT_S), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            try:
                as_a_report(folder)
            except NetworkError as error:
                assert str(folder) in str(error)
            else:
                read.append("")

    each()
    assert read


def test_a_ledger_leads_to_no_folder_elsewhere(whole_sweep: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole_sweep, folder)
    ledger = folder / "ended.jsonl"
    lines = [json.loads(line) | {"folder": "../../.."} for line in ledger.read_text().splitlines()]
    ledger.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    with pytest.raises(NetworkError, match="no point of this sweep has ended"):
        as_a_report(folder)
