"""A tiny scenario, end to end, real everything."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest

from experiments.scenario import load_scenario
from experiments.twin import twin_of
from tests.experiments.test_trace import check_format
from tests.fakes.scenarios import tiny
from tests.integration.runs import Run, spanlab

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_ovs, pytest.mark.slow]

FILES = {
    "manifest.json",
    "events.jsonl",
    "steps.jsonl",
    "result.json",
    "steps.parquet",
    "spans.parquet",
    "trace.json",
    "report.html",
}
STEPS = tiny()["workload"]["steps"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run that ended, beside a program that has OpenFlow's port: the run's network is its own."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # somebody else has it already, as well
            stack.enter_context(socket.create_server(("127.0.0.1", 6653)))
        run = Run(tmp_path_factory.mktemp("finished"), tiny())
        run.end()
    yield run
    run.close()


def test_it_ends_well_and_leaves_nothing(run: Run) -> None:
    assert run.process.returncode == 0, run.end()
    assert run.result["status"] == "finished"
    assert run.result["error"] is None
    assert run.left_behind() == []


def test_the_folder_is_complete(run: Run) -> None:
    present = {path.name for path in run.folder.iterdir()}
    assert present >= FILES
    assert not [name for name in present if name.endswith(".part")]


def test_the_result_is_the_contract(run: Run) -> None:
    result = run.result
    assert set(result) >= {
        *(
            "schema",
            "name",
            "run",
            "status",
            "fidelity",
            "backend",
            "reference",
            "phases",
            "events",
        ),
        *("task", "time_to_loss"),
    }
    assert (result["task"]["name"], result["time_to_loss"]) == ("synthetic", None)
    assert (result["schema"], result["name"], result["run"]) == (1, "tiny", run.name)
    assert set(result["fidelity"]) >= {"verdict", "reasons", "checks"}
    assert result["fidelity"]["verdict"] in ("faithful", "degraded", "invalid")
    assert bool(result["fidelity"]["reasons"]) == (result["fidelity"]["verdict"] != "faithful")
    assert set(result["backend"]) >= {"impairer", "datapath", "runtime"}
    assert set(result["reference"]) >= {"steps_per_s", "step_ms"}
    assert set(result["reference"]["step_ms"]) >= {"p50", "p99"}
    assert [phase["name"] for phase in result["phases"]] == ["aged", "west-east upgraded"]
    for phase in result["phases"]:
        assert set(phase) >= {
            *("name", "from_step", "to_step", "steps_per_s", "step_ms"),
            *("coherence", "coherence_ci", "class", "spans"),
        }
        assert set(phase["spans"]) == {"west-east"}
        assert set(phase["spans"]["west-east"]) >= {"rate_bps", "rtt_ns", "loss", "bytes"}
        low, high = phase["coherence_ci"]
        assert low <= phase["coherence"] <= high
    for event in result["events"]:
        assert set(event) >= {"t_s", "step", "kind", "target", "recovery_s"}


def test_standard_output_is_the_result_and_the_folder(run: Run) -> None:
    printed = json.loads(run.stdout)
    assert printed.pop("folder") == str(run.folder)
    assert printed == run.result
    assert "Traceback" not in run.stderr


def test_it_found_what_the_upgrade_restored(run: Run) -> None:
    aged, upgraded = run.result["phases"]
    # 400 kB both ways at 10 Mbit/s are 320 ms; at the campus's 100 Mbit/s, 32 ms.
    assert aged["step_ms"]["p50"] >= 320
    assert aged["class"] == "incoherent"
    assert upgraded["coherence"] > 0.6 > 0.3 > aged["coherence"]
    assert "Upgrading west-east took coherence from" in run.result["headline"]


def test_events_fired_when_planned_and_their_states_were_in_force(run: Run) -> None:
    changes = {
        change.step: change for change in twin_of(load_scenario(run.folder / "../lab.yaml")).changes
    }
    fired = [event for event in run.events if event["kind"] in ("age", "upgrade")]
    assert [(event["kind"], event["step"]) for event in fired] == [("age", 4), ("upgrade", 9)]
    times = [event["at_ns"] for event in run.events]
    assert times == sorted(times)
    for event in fired:
        state = changes[event["step"]].emulated
        assert event["target"] == "west-east"
        for way in ("forward", "backward"):
            assert event["state"][way]["rate_bps"] == state.worse.rate_bps
            assert event["state"][way]["delay_ns"] == state.worse.delay_ns
        before = [step for step in run.steps if step["step"] < event["step"]]
        assert max(step["end_ns"] for step in before) <= event["at_ns"]
    for phase, event in zip(run.result["phases"], fired, strict=True):
        state = changes[event["step"]].emulated
        assert phase["spans"]["west-east"]["rate_bps"] == state.worse.rate_bps
        assert phase["spans"]["west-east"]["rtt_ns"] == state.round_trip_ns


def test_every_step_of_every_rank_is_on_one_clock_and_agrees(run: Run) -> None:
    for rank in (0, 1):
        mine = [step for step in run.steps if step["rank"] == rank]
        assert [step["step"] for step in mine] == list(range(STEPS))
        assert all(a["end_ns"] <= b["start_ns"] for a, b in pairwise(mine))
    for number in range(STEPS):
        assert len({step["hash"] for step in run.steps if step["step"] == number}) == 1
    started = next(e for e in run.events if e["kind"] == "training started")
    assert min(step["end_ns"] for step in run.steps) > started["at_ns"]


def test_ranks_found_each_other_at_once(run: Run) -> None:
    ready = next(event for event in run.events if event["kind"] == "ranks ready")
    assert ready["setup_s"] < 1.0


def test_the_gradients_really_crossed_the_span(run: Run) -> None:
    checks = [c for c in run.result["fidelity"]["checks"] if c["name"] == "gradient bytes"]
    assert {check["subject"] for check in checks} == {"west-east forward", "west-east backward"}
    for check in checks:
        assert check["ok"]
        # Two ranks: 2 (n-1)/n = 1, so the gradients once per step and direction, with headers.
        assert check["intended"] == pytest.approx(STEPS * 0.4 * 9014 / 8948)
        assert check["measured"] == pytest.approx(STEPS * 0.4, rel=0.05)
    aged = run.result["phases"][0]
    steps = aged["to_step"] - aged["from_step"] + 1
    assert aged["spans"]["west-east"]["bytes"] == pytest.approx(2 * steps * 400_000, rel=0.3)


def test_no_check_of_the_emulation_was_fatal(run: Run) -> None:
    failed = [c for c in run.result["fidelity"]["checks"] if not c["ok"] and c["fatal"]]
    assert failed == []
    assert run.result["fidelity"]["verdict"] != "invalid"


def test_tables_and_trace_hold_the_steps(run: Run) -> None:
    with duckdb.connect() as database:
        steps = database.sql(f"SELECT count(*) FROM '{run.folder / 'steps.parquet'}'").fetchall()
        spans = database.sql(
            f"SELECT DISTINCT span, direction FROM '{run.folder / 'spans.parquet'}' ORDER BY ALL"
        ).fetchall()
    assert steps == [(2 * STEPS,)]
    assert spans == [("west-east", "backward"), ("west-east", "forward")]
    trace = json.loads((run.folder / "trace.json").read_text())
    check_format(trace)
    assert len([line for line in trace["traceEvents"] if line["ph"] == "X"]) >= 2 * STEPS


def test_all_clocks_were_asked(run: Run) -> None:
    trace = json.loads((run.folder / "trace.json").read_text())
    apart_us = trace["otherData"]["clocks at most us apart"]
    relays = {"relay of west-east"} if run.result["backend"]["impairer"] == "relay" else set()
    assert set(apart_us) == {"launcher", "controller"} | relays
    (check,) = (c for c in run.result["fidelity"]["checks"] if c["name"] == "clock, at most")
    assert check["measured"] == max(apart_us.values())


def test_the_page_is_made_anew_from_the_folder(run: Run, tmp_path: Path) -> None:
    done = spanlab("report", run.folder, "--out", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    assert run.result["headline"] in (tmp_path / "page.html").read_text()


def test_the_report_says_the_same(run: Run) -> None:
    page = (run.folder / "report.html").read_text()
    assert run.result["fidelity"]["verdict"] in page
    assert f"{run.result['phases'][1]['coherence']:.2f}" in page


def test_the_manifest_repeats_the_run(run: Run) -> None:
    manifest = json.loads((run.folder / "manifest.json").read_text())
    assert manifest["seed"] == 3
    assert manifest["scenario"] == json.loads(
        load_scenario(run.folder / "../lab.yaml").model_dump_json(by_alias=True, exclude_none=True)
    )


def test_a_folder_that_holds_something_is_refused(run: Run) -> None:
    before = sorted(path.name for path in run.folder.iterdir())
    done = spanlab("run", run.folder / "../lab.yaml", "--out", run.folder)
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert str(run.folder) in done.stderr
    assert sorted(path.name for path in run.folder.iterdir()) == before


def test_a_machine_without_the_programs_says_how_to_get_them(run: Run, tmp_path: Path) -> None:
    poor = {"PATH": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    done = spanlab("run", run.folder / "../lab.yaml", env=poor, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "apt-get install" in done.stderr
    assert "openvswitch-switch" in done.stderr
    assert list(tmp_path.iterdir()) == []
