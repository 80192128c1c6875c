"""Every criterion of every lab: passed by runs that show it, and by no others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.labs.answers import read_answers
from experiments.labs.catalogue import LABS
from experiments.labs.checking import Finding, Report, check
from experiments.labs.evidence import Evidence, runs_below
from tests.experiments.labs.students import GOOD, WRONG, Student, phases

PARTS = [(number, part.name) for number, lab in LABS.items() for part in lab.parts]
ReportOn = Callable[..., Report]
QUESTIONS = [(number, it.key) for number, lab in LABS.items() for it in lab.questions]


def finding(report: Report, begins: str) -> Finding:
    (found,) = (it for it in report.findings if it.criterion.startswith(begins))
    return found


@pytest.fixture(scope="module")
def report_on(tmp_path_factory: pytest.TempPathFactory) -> ReportOn:
    """Check what a student hands in, as the command does in the student's folder."""
    store = tmp_path_factory.mktemp("store")

    def report_on(
        student: Student, number: int, folder: Path, *, unfaithful: bool = False
    ) -> Report:
        lab = LABS[number]
        student.hand_in(folder, number, store)
        keys = [question.key for question in lab.questions]
        answers = read_answers(folder / lab.name / "answers.yaml", keys, needed=True)
        runs, aside = runs_below(folder / "runs", lab.name)
        return check(lab, Evidence(runs, aside, answers, unfaithful))

    return report_on


@pytest.fixture(scope="module")
def good(report_on: ReportOn, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Report]:
    folder = tmp_path_factory.mktemp("good")
    return {number: report_on(it, number, folder / str(number)) for number, it in GOOD.items()}


@pytest.mark.parametrize("number", LABS)
def test_a_good_student_passes_all(good: dict[int, Report], number: int) -> None:
    report = good[number]
    assert [it for it in report.findings if not it.passed] == []
    assert report.passed and not report.notes
    assert report.score == len(report.findings)
    assert all(it.found and not it.next for it in report.findings)
    assert set(report.runs) == {part.name for part in LABS[number].parts}


def test_each_effect_has_somebody_who_misses_it() -> None:
    effects = [(number, it.says) for number, lab in LABS.items() for it in lab.effects]
    for number, says in effects:
        assert [1 for lab, begins, _ in WRONG if lab == number and says.startswith(begins)], says


@pytest.mark.parametrize(("number", "begins", "student"), WRONG, ids=[it[1] for it in WRONG])
def test_an_effect_that_runs_do_not_show_is_not_passed(
    report_on: ReportOn,
    good: dict[int, Report],
    number: int,
    begins: str,
    student: Student,
    tmp_path: Path,
) -> None:
    found = finding(report_on(student, number, tmp_path), begins)
    assert finding(good[number], begins).passed
    assert not found.passed
    assert found.next
    assert "runs/" in found.found  # figures, and where they come from


@pytest.mark.parametrize(("number", "part"), PARTS)
def test_a_run_that_is_not_there_says_what_to_type(
    report_on: ReportOn, number: int, part: str, tmp_path: Path
) -> None:
    report = report_on(GOOD[number].without(part), number, tmp_path)
    own = report.findings[[it.name for it in LABS[number].parts].index(part)]
    assert not own.passed
    assert f"./spanlab run {tmp_path / LABS[number].name / part}.yaml" in own.next
    needing = [it for it in report.findings if f"{part}.yaml" in it.found]
    assert needing and not any(it.passed for it in needing)


@pytest.mark.parametrize(("number", "part"), PARTS)
def test_a_run_that_cannot_be_believed_does_not_count(
    report_on: ReportOn, number: int, part: str, tmp_path: Path
) -> None:
    doubtful = GOOD[number].runs[part].with_(faithful=False)
    report = report_on(GOOD[number].but(part, doubtful), number, tmp_path)
    own = report.findings[[it.name for it in LABS[number].parts].index(part)]
    assert not own.passed
    assert "was degraded: round trip" in own.found
    assert "once more ./spanlab run" in own.next
    assert part not in report.runs


@pytest.mark.parametrize(("number", "key"), QUESTIONS)
def test_a_prediction_is_held_against_the_run(
    report_on: ReportOn, good: dict[int, Report], number: int, key: str, tmp_path: Path
) -> None:
    tenfold = GOOD[number].saying(**{key: 10 * GOOD[number].answers[key]})
    found = finding(report_on(tenfold, number, tmp_path), f"{key}:")
    assert finding(good[number], f"{key}:").passed
    assert not found.passed
    assert "measured" in found.found and "answers.yaml" in found.found
    assert "formula" in found.next


def test_an_empty_prediction_is_asked_for(report_on: ReportOn, tmp_path: Path) -> None:
    nothing = replace(GOOD[2], answers={})
    found = finding(report_on(nothing, 2, tmp_path), "lossy_step_ms:")
    assert not found.passed
    assert "write lossy_step_ms: NUMBER into" in found.next


def test_a_prediction_waits_for_its_run(report_on: ReportOn, tmp_path: Path) -> None:
    found = finding(report_on(GOOD[2].without("bbr"), 2, tmp_path), "bbr_step_ms:")
    assert not found.passed
    assert "needs the run of bbr.yaml" in found.found


def test_a_run_that_failed_does_not_count(report_on: ReportOn, tmp_path: Path) -> None:
    failed = GOOD[2].but("bbr", GOOD[2].runs["bbr"].with_(status="failed"))
    own = report_on(failed, 2, tmp_path).findings[2]
    assert not own.passed
    assert "failed: on purpose" in own.found


def test_degraded_runs_count_when_told_to(report_on: ReportOn, tmp_path: Path) -> None:
    doubtful = GOOD[2].but("bbr", GOOD[2].runs["bbr"].with_(faithful=False))
    report = report_on(doubtful, 2, tmp_path, unfaithful=True)
    assert report.passed
    assert "degraded, 20 steps" in report.findings[2].found
    failed = GOOD[2].but("bbr", GOOD[2].runs["bbr"].with_(status="failed"))
    assert not report_on(failed, 2, tmp_path / "failed", unfaithful=True).passed


def test_a_few_steps_are_not_enough(report_on: ReportOn, tmp_path: Path) -> None:
    short = {"reference": [210.0] * 8, "aged": [550.0] * 5}
    student = GOOD[2].but("bbr", replace(GOOD[2].runs["bbr"], phases=short))
    own = report_on(student, 2, tmp_path).findings[2]
    assert not own.passed
    assert "5 settled steps in phase aged; 6 are needed" in own.found


def test_another_change_makes_it_another_run(report_on: ReportOn, tmp_path: Path) -> None:
    larger = replace(GOOD[2].runs["bbr"], edits={"workload.gradients": "300 MB"})
    own = report_on(GOOD[2].but("bbr", larger), 2, tmp_path).findings[2]
    assert not own.passed
    assert "has workload.gradients: 300 MB instead of 400 MB" in own.found


def test_names_seeds_scales_and_steps_are_free(report_on: ReportOn, tmp_path: Path) -> None:
    edits = {
        "name": "lab-2-of-my-own",
        "seed": 77,
        "emulate": {"bytes": "1/200", "time": 2},
        "workload.steps": 40,
    }
    other = replace(GOOD[2].runs["bbr"], edits=edits)
    assert report_on(GOOD[2].but("bbr", other), 2, tmp_path).passed


def test_an_option_that_is_stated_by_its_default_is_the_same(
    report_on: ReportOn, tmp_path: Path
) -> None:
    stated = {"workload.strategy": {"name": "ddp", "overlap": True}}
    other = replace(GOOD[3].runs["base"], edits=stated)
    assert report_on(GOOD[3].but("base", other), 3, tmp_path).passed


def test_what_is_on_no_list_of_prices_cannot_be_bought(report_on: ReportOn, tmp_path: Path) -> None:
    bought = [{"at": "step 24", "upgrade": "south-east", "with": "hollow-core"}]
    mine = replace(GOOD[6].runs["mine"], edits={"timeline": bought})
    found = finding(report_on(GOOD[6].but("mine", mine), 6, tmp_path), "your upgrades cost")
    assert not found.passed
    assert "hollow-core on south-east: $inf" in found.found


def test_prices_cannot_be_changed(report_on: ReportOn, tmp_path: Path) -> None:
    mine = GOOD[6].runs["mine"]
    cheap = replace(mine, edits={**mine.edits, "plan.costs.coherent-100g": 1})
    own = report_on(GOOD[6].but("mine", cheap), 6, tmp_path).findings[1]
    assert not own.passed
    assert "plan.costs.coherent-100g" in own.found


def test_a_run_that_buys_nothing_is_no_choice(report_on: ReportOn, tmp_path: Path) -> None:
    idle = replace(GOOD[6].runs["mine"], edits={}, phases=phases(110, aged=111))
    own = report_on(GOOD[6].but("mine", idle), 6, tmp_path).findings[1]
    assert not own.passed
    assert "has timeline: nothing instead of the upgrades that you buy" in own.found


def test_of_several_tries_the_latest_counts(report_on: ReportOn, tmp_path: Path) -> None:
    local = GOOD[5].runs["local"]
    later = replace(local, more={**local.more, "started": "2999-01-01T00:00:00+00:00"})
    slow = replace(later, edits={"workload.strategy.every": 2}, phases=phases(85, 24, aged=165))
    report = report_on(GOOD[5].and_("again", "local", slow), 5, tmp_path)
    assert report.runs["local"].folder.name == "lab-5-again"
    assert not finding(report, "local updates reach").passed


def test_a_later_try_that_failed_takes_nothing_away(report_on: ReportOn, tmp_path: Path) -> None:
    later = {"started": "2999-01-01T00:00:00+00:00", "faithful": False}
    again = GOOD[2].runs["bbr"].with_(**later)
    report = report_on(GOOD[2].and_("again", "bbr", again), 2, tmp_path)
    assert report.passed
    assert report.runs["bbr"].folder.name == "lab-2-bbr"


def test_a_run_that_allows_no_choice_is_nobodys_own(report_on: ReportOn, tmp_path: Path) -> None:
    report = report_on(GOOD[6].without("mine"), 6, tmp_path)
    assert report.findings[0].passed and not report.findings[1].passed
