"""Questions to tables: answered, or explained; and nothing else can be read or written."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from experiments import cli
from experiments.errors import BAD_INPUT
from experiments.sweep.conduct import sweep
from experiments.sweep.query import ask
from tests.fakes.sweeps import Made, Nobody, write_sweep
from topologies.files import FileError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``runs/one`` and ``runs/two``, which vary other fields."""
    top = tmp_path_factory.mktemp("query")
    sweep(write_sweep(top, name="one"), Made(fail=[1]), Nobody(), top / "runs" / "one")
    other = write_sweep(top, name="two", vary={"workload.strategy": ["ddp", "hierarchical"]})
    sweep(other, Made(), Nobody(), top / "runs" / "two")
    return top


def test_a_sweep_is_asked(folder: Path) -> None:
    answer = ask("select loss, avg(coherence) c from points group by loss", folder / "runs" / "one")
    assert answer.columns == ("loss", "c")
    assert len(answer.rows) == 3


def test_all_sweeps_are_asked_together(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    answer = ask("select sweep, count(*), count(strategy) from points group by all order by all")
    assert answer.rows == [("one", 12, 0), ("two", 4, 4)]


def test_runs_that_belong_to_no_sweep_are_asked_with_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs").mkdir()
    shutil.copytree(folder / "runs" / "one" / "points" / "00000-0", tmp_path / "runs" / "alone")
    (tmp_path / "runs" / "odd").mkdir()
    (tmp_path / "runs" / "odd" / "result.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    found = ask("select folder, sweep, seed, phase, coherence from points order by coherence")
    assert found.rows == [
        ("alone", None, 3, "aged", 0.25),
        ("alone", None, 3, "west-east upgraded", 0.9524),
    ]
    steps = ask("select folder, sweep_folder, count(*) from steps group by all")
    assert steps.rows == [("alone", None, 28)]
    shutil.copytree(folder / "runs" / "one", tmp_path / "runs" / "one")
    assert ask("select sweep, count(*) n from points group by sweep order by n").rows == [
        (None, 2),
        ("one", 12),
    ]


def test_steps_stand_beside_their_points(folder: Path) -> None:
    answer = ask(
        "select delay, count(distinct step) from steps join points using (folder) "
        "where point = 2 group by delay",
        folder / "runs" / "one",
    )
    assert answer.rows == [("1 ms", 14)]


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("select dellay from points", ('"dellay" not found', "points, a row", "delay_ns, loss")),
        ("select * frm points", ("syntax error", "coherence_low")),
        ("select * from point", ("does not exist", "points, a row")),
        ("select * from spans", ("does not exist",)),
        ("", ("allowed: one select",)),
        ("select 1; select 2", ("allowed: one select",)),
        ("drop view points", ("allowed: one select",)),
        ("set threads = 1", ("allowed: one select",)),
        ("attach 'x.db'", ("allowed: one select",)),
        ("copy points to 'stolen.csv'", ("allowed: one select",)),
        ("select * from read_text('/etc/passwd')", ("disabled by configuration",)),
        ("select * from '/etc/passwd'", ("",)),
        ("select * from glob('/etc/*')", ("",)),
    ],
)
def test_what_cannot_be_asked_is_explained(
    folder: Path, question: str, parts: tuple[str, ...]
) -> None:
    before = sorted(folder.rglob("*"))
    with pytest.raises(FileError) as refused:
        ask(question, folder / "runs" / "one")
    for part in parts:
        assert part in str(refused.value)
    assert "root:" not in str(refused.value)
    assert sorted(folder.rglob("*")) == before


def test_a_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="holds no table of a sweep"):
        ask("select 1", tmp_path)


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    odd = tmp_path / "it's [odd] *"
    odd.mkdir()
    sweep(write_sweep(odd), Made(), Nobody(), odd / "out")
    assert ask("select count(*) from points", odd / "out").rows == [(12,)]
    assert ask("select count(*) from steps", odd / "out").rows == [(6 * 28,)]


def test_answers_are_shown_to_people_and_to_scripts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: str, code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["spanlab", "query", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert int(stopped.value.code or 0) == code
        read = capsys.readouterr()
        return read.out, read.err

    question = "select loss, delay, max(coherence) as best, null as nothing from points "
    asked = (question + "where point = 0 group by all", "--out", str(folder / "runs" / "one"))
    row = {"loss": 0.0, "delay": "1 ms", "best": 0.9524, "nothing": None}
    assert json.loads(said(*asked, "--json")[0]) == [row]
    assert said(*asked, "--csv")[0].splitlines() == [
        "loss,delay,best,nothing",
        "0.0,1 ms,0.9524,",
    ]
    shown = said(*asked)[0]
    assert "1 ms" in shown and "0.9524" in shown and "-" in shown
    out, err = said("select x from points", *asked[1:], code=BAD_INPUT)
    assert out == ""
    assert "coherence_low" in err
