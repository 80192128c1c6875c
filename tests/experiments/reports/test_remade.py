"""A run's page, made anew from its folder alone, says what the run's own page said."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from experiments.finished import read_run
from experiments.reports.making import make
from experiments.reports.remade import origin_of, page_of, phases_of
from experiments.reports.repeating import command_of, shared
from experiments.sweep.store import prune
from tests.experiments.test_comparing import finished
from tests.experiments.test_report import Loads
from topologies.errors import NetworkError
from topologies.files import FileError

UNIQUE = re.compile(r'id="[0-9a-f-]{36}"|"[0-9a-f-]{36}"')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(tmp_path_factory.mktemp("runs"), "one")


def plain(page: str) -> str:
    """Return a page without what is drawn for each, and times to what events say: microseconds."""
    inner = re.sub(r";base64,[^\"]*", "", UNIQUE.sub("", page))
    return re.sub(r"\d+\.\d{6,}", lambda found: f"{float(found[0]):.4f}", inner)


def text_of(page: str) -> str:
    loads = Loads()
    loads.feed(page)
    return loads.text


def test_it_is_the_page_that_the_run_made(folder: Path) -> None:
    own = (folder / "report.html").read_text()
    again = page_of(read_run(folder))
    assert text_of(again) == text_of(own)
    assert plain(again) == plain(own), "figures, too"


def test_a_pruned_folder_gets_its_page_back(tmp_path: Path) -> None:
    folder = finished(tmp_path, "pruned")
    prune(folder, logs=False)
    assert not (folder / "report.html").exists()
    made = make([folder])
    assert made.path == folder / "report.html"
    assert made.headline in made.path.read_text()


def test_an_older_result_does_without_what_it_has_not(tmp_path: Path) -> None:
    folder = finished(tmp_path, "old")
    result = json.loads((folder / "result.json").read_text())
    for key in ("legs", "goodput", "interruptions", "time_to_loss"):
        result.pop(key)
    for phase in (result["reference"], *result["phases"]):
        for key in ("mean", "mean_ci", "p50_ci"):
            phase["step_ms"].pop(key)
    for key in ("warm_up_steps", "to_step", "workers"):
        result["reference"].pop(key)
    (folder / "result.json").write_text(json.dumps(result))
    run = read_run(folder)
    assert [name for name, _ in phases_of(run)] == ["reference", "aged", "west-east upgraded"]
    assert "west-east upgraded" in text_of(page_of(run))


def test_steps_of_a_run_that_measured_nothing_are_the_references(tmp_path: Path) -> None:
    folder = finished(tmp_path, "failed", status="failed")
    result = json.loads((folder / "result.json").read_text())
    result |= {"reference": None, "phases": [], "events": []}
    (folder / "result.json").write_text(json.dumps(result))
    run = read_run(folder)
    ((name, steps),) = phases_of(run)
    assert (name, len(steps)) == ("reference", 14)
    assert "on purpose" in text_of(page_of(run))


def test_what_is_no_run_is_refused_with_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"holds no result.json: name the folder of a run"):
        make([tmp_path])
    folder = finished(tmp_path, "torn")
    (folder / "events.jsonl").write_text("")
    with pytest.raises(FileError, match=r"events.jsonl: cannot be read"):
        origin_of(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["scenario"]["network"]["spans"]["west-east"]["bogus"] = 1
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(FileError, match="its scenario is of another version of spanlab"):
        make([folder])


def test_a_page_that_cannot_be_written_leaves_what_was_there(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with pytest.raises(FileError, match="place: cannot be written"):
        make([folder], place)
    assert list(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["run", "a b.yaml", "--strict"], "./spanlab run 'a b.yaml' --strict"),
        (["demo", "--out", "/somewhere"], "./spanlab demo"),
        (["plan", "lab.yaml", "--out", "x", "--confirm", "2"],
         "./spanlab plan lab.yaml --confirm 2"),
        (["sweep", "s.yaml"], "./spanlab run lab.yaml"),
    ],
    ids=str,
)  # fmt: skip
def test_the_command_is_what_was_typed(words: list[str], command: str) -> None:
    manifest = {"command": ["/lib/experiments/__main__.py", *words], "source": "lab.yaml"}
    assert command_of(manifest) == command


def test_environments_are_told_apart() -> None:
    same, apart = shared([("kernel 6.1", "torch 2"), ("kernel 6.1", "torch 3")])
    assert (same, apart) == (("kernel 6.1",), ("torch 2", "torch 3"))
