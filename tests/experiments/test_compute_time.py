"""Compute time from the scenario to the ranks, and to the planner."""

from __future__ import annotations

import math
from typing import Any

import pytest

from experiments.manifest import quantities
from experiments.planner.slowest import slowest_compute_s
from experiments.planner.worth import job_of
from experiments.twin import Twin, twin_of
from tests.fakes.scenarios import scenario_of, tiny
from workloads.variation import Variation

SPREAD = {"mean": "20 ms", "distribution": "lognormal", "cv": 0.1}
STRAGGLERS = {"probability": 0.01, "slowdown": 3}


def twin(**changes: Any) -> Twin:
    return twin_of(scenario_of(tiny(**changes)))


def test_a_quantity_alone_is_a_fixed_time() -> None:
    plain, stated = twin(), twin(workload__compute={"mean": "20 ms"})
    assert plain == stated
    assert plain.compute_ns == 20 * 10**6
    assert plain.variation == Variation()
    assert plain.speeds == (1.0, 1.0)
    scenario = scenario_of(tiny())
    assert scenario.model_dump(mode="json", by_alias=True)["workload"]["compute"] == "20 ms"


def test_times_that_vary_do_so_by_the_same_share_at_any_scale() -> None:
    found = twin(workload__compute=SPREAD, workload__stragglers=STRAGGLERS, emulate__time=4)
    assert found.compute_ns == 80 * 10**6
    assert found.variation == Variation("lognormal", 0.1, 0.01, 3.0)


def test_speeds_are_those_of_the_ranks_in_their_order() -> None:
    west = {"workers": 3, "speed": 0.5}
    east = {"workers": 2, "speed": [1, 2]}
    found = twin(network__campuses__west=west, network__campuses__east=east)
    assert [host.campus for host in found.graph.workers] == ["west"] * 3 + ["east"] * 2
    assert found.speeds == (0.5, 0.5, 0.5, 1.0, 2.0)


def test_what_varies_is_shown() -> None:
    data = tiny(
        workload__compute=SPREAD,
        workload__stragglers=STRAGGLERS,
        network__campuses__east__speed=0.8,
    )
    scenario = scenario_of(data)
    rows = {row["quantity"]: row["emulated"] for row in quantities(scenario, twin_of(scenario))}
    assert rows["compute per step, spread"] == "lognormal, cv 0.1"
    assert rows["stragglers"] == "0.01 of steps, 3 times as long"
    assert rows["speed of the accelerators in east"] == "0.8"
    assert "speed of the accelerators in west" not in rows
    assert rows["synthetic: 8 layers of width 111"] == "100,000 parameters"


def test_the_slowest_of_ranks() -> None:
    assert slowest_compute_s(2.0, Variation(), (1.0, 1.0)) == 2.0
    assert slowest_compute_s(2.0, Variation(), (1.0, 0.5)) == 4.0
    # One of three straggles: 1 - 0.9^3 of the meetings take three times as long.
    straggling = slowest_compute_s(2.0, Variation(straggling=0.1, slowdown=3), (1.0,) * 3)
    assert straggling == pytest.approx(2 * (1 + 2 * (1 - 0.9**3)), rel=0.03)
    # The larger of two normal numbers lies 1/sqrt(pi) deviations above the mean.
    normal = Variation("normal", 0.1)
    assert slowest_compute_s(2.0, normal, (1.0, 1.0)) == pytest.approx(
        2 * (1 + 0.1 / math.sqrt(math.pi)), rel=0.005
    )
    # Over 25 steps between meetings a sum's deviation, per step, is a fifth.
    assert slowest_compute_s(2.0, normal, (1.0, 1.0), period=25) == pytest.approx(
        2 * (1 + 0.02 / math.sqrt(math.pi)), rel=0.001
    )
    assert slowest_compute_s(2.0, normal, (1.0, 0.5)) == pytest.approx(4.0, rel=0.005)


def test_the_planner_reckons_with_the_slowest() -> None:
    def compute_s(**changes: Any) -> float:
        scenario = scenario_of(tiny(timeline=None, **changes))
        return job_of(scenario, twin_of(scenario)).compute_s

    assert compute_s() == pytest.approx(0.020)
    assert compute_s(network__campuses__east__speed=0.8) == pytest.approx(0.025)
    varying = compute_s(workload__compute=SPREAD, workload__stragglers=STRAGGLERS)
    assert 0.0215 < varying < 0.0225
    local = {"name": "local-sgd", "every": 4}
    assert compute_s(workload__compute=SPREAD, workload__strategy=local) < 0.0215


def test_the_planner_knows_when_a_transformers_buckets_are_ready() -> None:
    scenario = scenario_of(
        tiny(timeline=None, workload__task="language-model", workload__bucket="1 MB")
    )
    found = twin_of(scenario)
    job = job_of(scenario, found)
    buckets = job.buckets()
    assert sum(size for size, _ in buckets) == found.gradient_bytes
    times = [at_s for _, at_s in buckets]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(job.compute_s)
    # The last of two blocks fills a bucket, and is ready after half of backward.
    assert times[0] == pytest.approx(job.compute_s * (1 / 3 + 2 / 3 * 0.5), rel=0.05)
