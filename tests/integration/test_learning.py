"""A language model learns over the emulated network, whichever way its ranks meet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.scenarios import tiny
from tests.integration.runs import Run
from workloads import tasks

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_ovs, pytest.mark.slow]

STRATEGIES: dict[str, dict[str, Any]] = {
    "ddp": {"name": "ddp"},
    "diloco": {"name": "diloco", "every": 4, "inner_rate": 0.003},
}
STEPS, TIME, TARGET = 64, 2, 2.5


@pytest.fixture(scope="module", params=["ddp", pytest.param("diloco", marks=pytest.mark.thorough)])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    scenario = tiny(
        workload__strategy=STRATEGIES[request.param],
        workload__task={"name": "language-model", "batch": 8},
        workload__gradients="2 MB",
        workload__bucket="1 MB",
        workload__compute={"mean": "25 ms", "distribution": "gamma", "cv": 0.1},
        workload__steps=STEPS,
        workload__reference_steps=12,
        network__campuses__east__speed=0.8,
        emulate__time=TIME,
        timeline=[{"at": "step 32", "upgrade": "west-east", "with": "coherent-400g"}],
        target={"loss": TARGET},
    )
    run = Run(tmp_path_factory.mktemp("learning"), scenario)
    run.end()
    yield run
    run.close()


def test_loss_falls_through_the_phases_towards_the_entropy(run: Run) -> None:
    assert run.process.returncode == 0, run.end()
    assert run.result["status"] == "finished"
    best = tasks.best_loss("language-model")
    assert best is not None
    assert run.result["task"]["best_loss"] == round(best, 4)
    losses = [run.result["reference"]["loss"], *(it["loss"] for it in run.result["phases"])]
    assert len(losses) == 3
    assert losses == sorted(losses, reverse=True)
    assert best < losses[-1] < min(TARGET, losses[0])
    assert losses[0] < 3.3, "of letters drawn by lot: ln 27"


def test_the_time_to_the_target_is_told_at_both_scales(run: Run) -> None:
    found = run.result["time_to_loss"]
    assert found["target"] == TARGET
    assert found["emulated_s"] == pytest.approx(TIME * found["real_s"], abs=0.002)
    ends = [it["end_ns"] for it in run.steps if it["step"] == found["step"]]
    begin_ns = min(it["start_ns"] for it in run.steps)
    assert found["emulated_s"] == pytest.approx((max(ends) - begin_ns) / 1e9, abs=0.001)


def test_the_counters_saw_the_bytes_that_the_model_has(run: Run) -> None:
    checks = [it for it in run.result["fidelity"]["checks"] if it["name"] == "gradient bytes"]
    assert len(checks) == 2
    assert all(check["ok"] for check in checks)
    failed = [it for it in run.result["fidelity"]["checks"] if not it["ok"] and it["fatal"]]
    assert failed == []


def test_accelerators_took_the_time_that_was_drawn_for_them(run: Run) -> None:
    for rank, speed in ((0, 1.0), (1, 0.8)):
        mine = [it for it in run.steps if it["rank"] == rank]
        assert len({it["declared_ns"] for it in mine}) == STEPS
        mean_ms = sum(it["declared_ns"] for it in mine) / STEPS / 1e6
        assert mean_ms == pytest.approx(25 * TIME / speed, rel=4 * 0.1 / STEPS**0.5)
        assert all(it["compute_ns"] >= it["declared_ns"] for it in mine)
    assert any(
        check["name"] == "compute beyond the declared time"
        for check in run.result["fidelity"]["checks"]
    )


def test_the_report_shows_the_loss(run: Run) -> None:
    page = (run.folder / "report.html").read_text()
    assert "entropy of the text" in page
    assert f"{run.result['phases'][1]['loss']:.2f}" in page
