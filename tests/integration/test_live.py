"""A run that is steered while it trains, over real spans: what is wished happens, and is saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from experiments.scenario import load_scenario
from experiments.steering import words_of
from tests.integration.runs import Run, lines_of

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_ovs, pytest.mark.slow]

Start = Callable[..., Run]
SPAN = "west-east"
PAUSED_S = 2.0
LIVE: dict[str, Any] = {"workload__reference_steps": 6, "timeline": []}


class Dashboard:
    """What a dashboard does with a run: reads its folder, and writes wishes."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.wished = 0
        run.wait((run.folder / "wishes.jsonl").exists, "a run that listens")

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in lines_of(self.run.folder / "live.jsonl") if line["kind"] == kind]

    def trained(self, steps: int) -> None:
        """Wait until so many more steps are told."""
        before = len(self.of("step"))
        self.run.wait(lambda: len(self.of("step")) >= before + steps, f"{steps} steps")

    def wish(self, **event: Any) -> dict[str, Any]:
        """Wish, and return the answer."""
        self.wished += 1
        name = f"wish-{self.wished}"
        with (self.run.folder / "wishes.jsonl").open("a") as file:
            file.write(json.dumps({"id": name, "event": event}) + "\n")

        def answer() -> dict[str, Any] | None:
            return next((it for it in self.run.events if it.get("id") == name), None)

        found: dict[str, Any] = self.run.wait(answer, f"an answer to {event}", 20)
        return found

    def step_of(self, **event: Any) -> int:
        """Wish, and return the step before which it comes true."""
        answer = self.wish(**event)
        assert answer["kind"] == "wish", answer
        return int(answer["at"].removeprefix("step "))


def test_a_run_is_steered_and_its_session_saved(start: Start) -> None:
    run = start("--live", **LIVE)
    page = Dashboard(run)
    page.trained(14)
    lossy = page.step_of(set=SPAN, loss=0.002, delay="6 ms")
    refused = page.wish(upgrade=SPAN, **{"with": "nope"})
    assert 'unknown upgrade "nope"' in refused["reason"]
    page.trained(8)
    paused = page.step_of(pause=True)
    run.wait(lambda: [it for it in run.events if it["kind"] == "pause"], "the pause")
    (begun,) = (it for it in run.events if it["kind"] == "pause")
    run.wait(lambda: seconds_of(page) - begun["t_s"] > PAUSED_S, "the pause to last")
    assert page.step_of(upgrade=SPAN, **{"with": "coherent-400g"}) == paused
    assert page.step_of(resume=True) == paused
    page.trained(12)
    changed = page.step_of(strategy="diloco", every=3)
    page.trained(22)
    assert page.wish(strategy="pipeline")["kind"] == "wish refused"
    end = page.step_of(finish=True)
    output = run.end()
    assert run.process.returncode == 0, output
    assert run.left_behind() == []
    result = run.result
    assert result["fidelity"]["verdict"] != "invalid", result["fidelity"]["reasons"]

    assert {step["step"] for step in run.steps} == set(range(end)), "each was trained"
    assert {step["rank"] for step in run.steps} == {0, 1}
    kinds = [event["kind"] for event in result["events"]]
    assert kinds == ["age", "set", "pause", "upgrade", "strategy"]
    names = [phase["name"] for phase in result["phases"]]
    assert names == ["aged", f"{SPAN} set", f"{SPAN} upgraded", "training by diloco"]
    phases = dict(zip(names, result["phases"], strict=True))
    assert phases["aged"]["to_step"] < lossy <= phases[f"{SPAN} set"]["from_step"]
    assert phases[f"{SPAN} set"]["spans"][SPAN]["loss"] == pytest.approx(0.002)
    assert phases[f"{SPAN} set"]["spans"][SPAN]["rtt_ns"] == 12_000_000
    assert phases[f"{SPAN} set"]["coherence"] < phases[f"{SPAN} upgraded"]["coherence"]

    (pause,) = result["pauses"]
    assert (pause["step"], pause["lasted_s"] > PAUSED_S) == (paused, True)
    slowest_s = max(phase["step_ms"]["p99"] for phase in result["phases"]) / 1000
    assert slowest_s < PAUSED_S, "the pause is in no step"
    assert result["goodput"] > 0.5

    first, second = result["references"]
    assert first == result["reference"]
    assert (second["name"], second["strategy"]) == ("reference of diloco", "diloco")
    last = phases["training by diloco"]
    assert changed <= second["from_step"] < second["to_step"] < last["from_step"]
    assert (last["against"], last["strategy"]) == ("reference of diloco", "diloco")
    assert [leg["from_step"] for leg in result["legs"]] == [0, changed]
    assert [leg["strategy"]["name"] for leg in result["legs"]] == ["ddp", "diloco"]

    session = load_scenario(run.folder / "session.yaml")
    assert session.workload.steps == end
    steps = [lossy, paused, paused, changed]
    assert [event.at for event in session.timeline] == steps
    told = {"at": f"step {lossy}", "set": SPAN, "delay": "6 ms", "loss": 0.002}
    assert words_of(session)["timeline"][0] == told
    judged = {it["verdict"] for it in page.of("verdict")}
    assert judged and judged <= {"faithful", "degraded", "invalid"}
    assert [it["step"] for it in page.of("step")] == list(range(end))


def seconds_of(page: Dashboard) -> float:
    """Return how late it is by the run's clock."""
    found: float = page.of("verdict")[-1]["t_s"]
    return found


@pytest.mark.thorough
def test_a_file_pauses_and_changes_the_strategy(start: Start) -> None:
    run = start(
        workload__steps=44,
        workload__reference_steps=6,
        timeline=[
            {"at": "step 12", "pause": "1 s"},
            {"at": "step 20", "strategy": "local-sgd", "every": 2},
            {"at": "step 32", "pause": "1 s"},
            {"at": "step 32", "strategy": "ddp"},
        ],
    )
    output = run.end()
    assert run.process.returncode == 0, output
    result = run.result
    assert result["fidelity"]["verdict"] != "invalid", result["fidelity"]["reasons"]
    assert [pause["step"] for pause in result["pauses"]] == [12, 32]
    assert all(pause["lasted_s"] == pytest.approx(1, abs=0.5) for pause in result["pauses"])
    names = [phase["name"] for phase in result["phases"]]
    assert names == ["aged", "training by local-sgd", "training by ddp"]
    against = [phase["against"] for phase in result["phases"]]
    assert against == ["reference", "reference of local-sgd", "reference of ddp"]
    assert max(phase["step_ms"]["p99"] for phase in result["phases"]) < 900
    assert not (run.folder / "session.yaml").exists(), "nobody listened"
