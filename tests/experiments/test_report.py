"""The report is one page that needs nothing else, for runs that end well and badly."""

from __future__ import annotations

import re
from fractions import Fraction
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from experiments import fidelity
from experiments.goodput import goodput
from experiments.learning import task_result, time_to_loss
from experiments.manifest import manifest_of
from experiments.ondisk import OnDisk
from experiments.report import write_report
from experiments.result import event_results, headline, phase_results
from experiments.screen import show_result
from experiments.session import Session
from experiments.trace import trace_of
from tests.fakes.runs import MACHINE, FakeRun
from tests.fakes.scenarios import tiny

SECRETS = "<script>alert(1)</script>"


class Loads(HTMLParser):
    """Collects what a browser would load, and the text outside scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.text = ""
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href", "srcset", "data", "action", "poster") and value:
                self.loads.append(f"{tag} {name}={value}")
        if tag in ("script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and tag == self._inside[-1]:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.text += data


def page_of(
    folder: Path,
    *,
    steps: int = 14,
    phases: int = 3,
    error: str | None = None,
    interruptions: list[dict[str, Any]] | None = None,
    **changes: Any,
) -> Loads:
    run = FakeRun(folder / "run", tiny(**changes))
    run.record.steps = [step for step in run.record.steps if step["step"] < steps]
    run.record.events = run.record.events[: max(0, phases - 1)]
    states = OnDisk(run.session.states[:phases])
    session = Session(OnDisk(run.session.phases[:phases]), states, run.session.snapshots)
    references, found = phase_results(
        run.steps,
        run.record.steps,
        session,
        seed=1,
        largest_campus_share=0.5,
        learns=run.twin.model.task == "language-model",
    )
    judged = fidelity.verdict([fidelity.check_replicas(0), fidelity.check_bytes("x", 10, 10)])
    if error:
        judged = {**judged, "verdict": "invalid", "reasons": [f"the run failed: {error}"]}
    result: dict[str, Any] = {
        "schema": 1,
        "name": run.scenario.name,
        "run": "abc123",
        "status": "failed" if error else "finished",
        "error": error,
        "fidelity": judged,
        "backend": {
            "impairer": "relay",
            "datapath": "user",
            "runtime": run.scenario.emulate.runtime.name,
        },
        "task": task_result(run.twin.model),
        "reference": references[0] if references else None,
        "phases": found,
        "time_to_loss": time_to_loss(run.steps, run.scenario.target.loss, Fraction(1)),
        "goodput": goodput(run.steps),
        "interruptions": interruptions or [],
        "events": event_results(run.record.events, run.steps, session.phases),
    }
    result["headline"] = headline(result)
    source = Path("lab.yaml")
    run.record.write(
        "manifest.json", manifest_of(run.scenario, source, "abc123", run.twin, MACHINE)
    )
    write_report(run.record, run.scenario, run.twin, result, run.steps, session.phases)
    run.record.close()
    page = Loads()
    page.feed((run.record.folder / "report.html").read_text())
    return page


def test_a_finished_run_is_told_from_headline_to_command(tmp_path: Path) -> None:
    text = page_of(tmp_path).text
    for word in (
        "Upgrading west-east took coherence from 0.25 to 0.95",
        "faithful",
        "incoherent",
        "west-east upgraded",
        "400 ms (400–400)",  # the mean step, with its interval
        "100 Mbit/s → 400 Gbit/s",
        "10 Mbit/s",
        "connection stands for 10 real ones. Kept: bandwidth, latency",
        "./spanlab run lab.yaml",
        "seed 3",
    ):
        assert word in text


def test_an_interruption_is_told_with_what_it_cost(tmp_path: Path) -> None:
    it = {"step": 9, "cause": "rank 1 (east-w1) was <killed>", "workers": 1, "lost_steps": 3}
    cost = {"state_bytes": 4_200_000, "recovery_s": 2.34}
    page = page_of(tmp_path, interruptions=[{**it, **cost}])
    for word in ("rank 1 (east-w1) was <killed>", "4.200 MB", "2.3 s", "Goodput 1.00", "workers"):
        assert word in page.text


def test_requests_that_were_answered_are_told(tmp_path: Path) -> None:
    run = FakeRun(tmp_path / "run")
    for record in run.record.steps:
        record["latencies_us"] = [20_000, 4_000 * (record["step"] + 1)]
    (reference,), phases = phase_results(
        run.steps, run.record.steps, run.session, seed=1, largest_campus_share=0.5
    )
    assert reference["serving"]["requests_per_s"] == 40.0
    assert phases[0]["serving"]["requests_per_s"] == 10.0
    result: dict[str, Any] = {
        "run": "abc123",
        "interruptions": [],
        "fidelity": fidelity.verdict([]),
        "backend": {"impairer": "relay", "datapath": "user", "runtime": "namespace"},
        "task": task_result(run.twin.model),
        "time_to_loss": None,
        "reference": reference,
        "phases": phases,
        "events": [],
        "error": None,
        "headline": "x",
    }
    source = Path("lab.yaml")
    manifest = manifest_of(run.scenario, source, "abc123", run.twin, MACHINE)
    run.record.write("manifest.json", manifest)
    write_report(run.record, run.scenario, run.twin, result, run.steps, run.session.phases)
    run.record.close()
    page = (run.record.folder / "report.html").read_text()
    assert "answered per s" in page
    assert '<tr><td>reference</td><td class="n">40.00</td>' in page
    console = Console(file=StringIO(), width=200)
    show_result(console, result)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert re.search(r"reference +│ +40\.00 │ +18 ms", shown)


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    assert all(it.startswith("a href=data:text/") for it in page.loads)
    styles = (tmp_path / "run" / "report.html").read_text().split("</style>")[0]
    assert not re.search(r"@import|url\(", styles)


@pytest.mark.parametrize(("steps", "phases"), [(0, 0), (0, 1), (3, 1), (7, 2), (14, 3)], ids=str)
def test_a_failed_run_says_so_first(tmp_path: Path, steps: int, phases: int) -> None:
    error = "rank 1 (east-w1) was killed by signal 9; the end of its log:\n  last words"
    text = page_of(tmp_path, steps=steps, phases=phases, error=error).text
    for word in ("invalid", "the run failed: rank 1 (east-w1) was killed", "last words"):
        assert word in text
    assert text.index("invalid") < text.index("Campuses and spans")


def test_what_a_rank_says_is_shown_and_not_executed(tmp_path: Path) -> None:
    page = page_of(tmp_path, error=SECRETS)
    assert SECRETS in page.text
    assert SECRETS not in (tmp_path / "run" / "report.html").read_text()


def test_time_that_is_stretched_is_said(tmp_path: Path) -> None:
    assert "4 s here stand for 1 s" in page_of(tmp_path, emulate__time=4).text


@pytest.mark.parametrize(("steps", "phases"), [(0, 0), (0, 1), (3, 1), (14, 3)], ids=str)
def test_what_was_learnt_is_shown(tmp_path: Path, steps: int, phases: int) -> None:
    changes: dict[str, Any] = {"workload__task": "language-model", "target": {"loss": 1.5}}
    text = page_of(tmp_path, steps=steps, phases=phases, **changes).text
    assert ("Loss at the end: 1.00, of 0.31 at best" in text) == (steps == 14)
    assert ("1.5 was reached in step 7" in text) == (steps == 14)
    assert "blocks of width" in text


def test_a_task_that_teaches_nothing_has_no_loss(tmp_path: Path) -> None:
    assert "Loss" not in page_of(tmp_path).text


def test_the_trace_has_a_track_per_rank_and_whole_steps(tmp_path: Path) -> None:
    run = FakeRun(tmp_path / "run")
    run.record.close()
    run.record.steps[0]["exchanges"] = [(2000, 9000, 512)]
    samples = [
        {
            "at_ns": at_s * 10**9,
            "span": "west-east",
            "direction": "forward",
            "delivered_bytes": moved,
            "lost": lost,
            "queue_drops": 0,
            "early_drops": 1,
        }
        for at_s, moved, lost in ((1, 0, 0), (3, 500_000, 1), (4, 500_000, 5))
    ]
    trace = trace_of(run.record.steps, run.record.events, samples, run.twin)
    process = {
        line["args"]["name"]: line["pid"]
        for line in trace["traceEvents"]
        if line["name"] == "process_name"
    }
    ranks = [process["rank 0 (west-w1)"], process["rank 1 (east-w1)"]]
    spans = [line for line in trace["traceEvents"] if line["ph"] == "X"]
    assert all(line["dur"] >= 0 for line in spans)
    for record in run.record.steps[:2]:
        mine = [line for line in spans if line["pid"] == ranks[record["rank"]]][:2]
        length_us = (record["end_ns"] - record["start_ns"]) / 1000
        assert sum(line["dur"] for line in mine) == pytest.approx(length_us)
    moments = [line["name"] for line in trace["traceEvents"] if line["ph"] == "i"]
    assert moments == ["age west-east", "upgrade west-east"]
    begin, end = (line for line in trace["traceEvents"] if line.get("cat") == "exchange")
    assert (begin["ph"], end["ph"], begin["pid"]) == ("b", "e", ranks[0])
    assert begin["ts"] == run.record.steps[0]["start_ns"] / 1000 + 2000
    assert end["ts"] - begin["ts"] == 7000
    curves = [
        (line["name"], line["ts"], line["args"]["Mbit/s"])
        for line in trace["traceEvents"]
        if line["ph"] == "C" and "Mbit/s" in line["args"]
    ]
    assert curves == [
        ("west-east forward rate", 1e6, 2.0),
        ("west-east forward rate", 3e6, 0.0),
        ("west-east forward rate", 4e6, 0.0),
    ]


@pytest.mark.parametrize(
    ("runtime", "said"), [("namespace", "ranks in namespaces"), ("docker", "in Docker containers")]
)
def test_it_says_where_ranks_ran(tmp_path: Path, runtime: str, said: str) -> None:
    assert said in page_of(tmp_path, emulate__runtime=runtime).text
