"""Runs side by side on a page: the sentences of ``spanlab compare``, with pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.errors import BAD_INPUT
from experiments.finished import read_run
from experiments.reports.comparisonpage import comparison_page
from tests.experiments.reports.downloads import saved
from tests.experiments.test_cli import spanlab
from tests.experiments.test_comparing import finished
from tests.experiments.test_report import Loads


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {
        "one": finished(folder, "one"),
        "again": finished(folder, "again", pace=1.04, seed=4),
        "larger": finished(folder, "larger", pace=1.5, workload__gradients="8 MB"),
        "failed": finished(folder, "failed", status="failed"),
    }


def page(runs: dict[str, Path], *names: str, unfaithful: bool = False) -> tuple[str, Loads, str]:
    found = [read_run(runs[name]) for name in names]
    headline, html = comparison_page(found, unfaithful=unfaithful)
    loads = Loads()
    loads.feed(html)
    return headline, loads, html


def test_it_says_who_is_faster_what_differs_and_how_to_repeat_it(runs: dict[str, Path]) -> None:
    headline, page_, html = page(runs, "one", "larger")
    slow, quick = "tiny (gradients 8 MB)", "tiny (gradients 4 MB)"
    assert headline.startswith(f"{quick}, west-east upgraded beats {slow}, west-east upgraded")
    for word in (
        headline,
        "2 of 2 runs count",
        "workload.gradients",
        "knows nothing of what differs from run to run",
        "./spanlab run tiny.yaml",
        f"./spanlab report {runs['one']} {runs['larger']}",
        "torch 2",
    ):
        assert word in " ".join(page_.text.split())
    assert all(it.startswith("a href=data:text/") for it in page_.loads)
    steps = saved(html, "step-times-by-phase").splitlines()
    assert len(steps) == 1 + 2 * (3 + 5 + 5)
    coherence = saved(html, "coherence-by-phase")
    assert coherence.count(quick) == 2, "the reference has none"
    assert "coherence, low" in coherence


def test_repetitions_are_one_scenario_and_differ_in_nothing(runs: dict[str, Path]) -> None:
    headline, page_, _ = page(runs, "one", "again")
    assert "What differs" not in page_.text
    assert "2 runs of 1 scenario" in page_.text
    assert "times as fast" in headline


def test_what_does_not_count_is_said_and_not_drawn(runs: dict[str, Path]) -> None:
    _, page_, html = page(runs, "one", "failed")
    assert "1 of 2 runs count" in " ".join(page_.text.split())
    assert "is left out: its emulation was invalid" in page_.text
    alone = saved(html, "step-times-by-phase")
    _, page_, html = page(runs, "one", "failed", unfaithful=True)
    assert "is counted although its emulation was invalid" in page_.text
    assert len(saved(html, "step-times-by-phase").splitlines()) == 2 * len(alone.splitlines()) - 1
    headline, page_, _ = page(runs, "failed")
    assert "cannot be compared" in headline
    assert "None was measured." in page_.text


def test_the_command_writes_it_where_it_says(runs: dict[str, Path], tmp_path: Path) -> None:
    done = spanlab("report", runs["one"], runs["larger"], "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["report"] == "runs/comparison-one-larger.html"
    assert said["headline"] in (tmp_path / said["report"]).read_text()


def test_refusals_say_what_to_name(runs: dict[str, Path], tmp_path: Path) -> None:
    for folders, said in (
        ([tmp_path], "holds no result.json: name the folder of a run that has ended"),
        ([runs["one"], runs["one"]], "is the same run as"),
    ):
        done = spanlab("report", *folders, folder=tmp_path)
        assert (done.returncode, done.stdout) == (BAD_INPUT, "")
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()
