"""The step-time model against measured and published figures, and its own limits."""

from __future__ import annotations

import csv
import itertools
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import published
from experiments.model import CAUSES, Crossings, Job, coherence, predict, predict_sets
from topologies.linkstate import Duplex, LinkState, Loss

DATA = Path(__file__).with_name("data")
SPAN = "a-b"
DIRECT: Crossings = {("a", "b"): ((SPAN, 0),), ("b", "a"): ((SPAN, 1),)}


def rows(name: str) -> list[dict[str, str]]:
    lines = (DATA / f"{name}.csv").read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def span(rate_bps: float, rtt_ms: float, loss: float = 0.0, mtu: int = 1500) -> Duplex:
    return Duplex.both(LinkState(int(rate_bps), int(rtt_ms * 5e5), loss=Loss(loss), mtu=mtu))


def all_reduce(size: int, sites: str = "ab", **changes: object) -> Job:
    """Return one all-reduce of one bucket, as the anchors measured them: without computation."""
    job = Job(tuple(sites), size, size, 0.0, congestion_control="bbr", access_bps=10e9, mtu=1500)
    return replace(job, **changes)  # type: ignore[arg-type]


def step_ms(job: Job, state: Duplex) -> float:
    return 1e3 * predict(job, DIRECT, {SPAN: state}).step_s


@pytest.mark.parametrize("row", rows("gloo_ring_law"), ids=lambda row: f"{row['rtt_ms']} ms")
def test_a_ring_of_two_takes_what_gloo_took(row: dict[str, str]) -> None:
    # The machine's default TCP was BBR.
    found = step_ms(all_reduce(64 * 2**20), span(1e9, float(row["rtt_ms"])))
    assert found == pytest.approx(float(row["one_group_ms"]), rel=0.02)


@pytest.mark.parametrize("row", rows("gloo_hierarchy"), ids=lambda row: f"{row['rtt_ms']} ms")
def test_four_ranks_on_two_sites_take_what_gloo_took(row: dict[str, str]) -> None:
    state = span(1e9, float(row["rtt_ms"]))
    # Not stated with the figures: the fabric's rate, which is that of the first row's hierarchy.
    job = all_reduce(64 * 2**20, "aabb", access_bps=2.6e9)
    fast = replace(job, access_bps=10e9)
    in_order = step_ms(fast, state)
    interleaved = step_ms(replace(fast, sites=tuple("abab")), state)
    hierarchical = step_ms(replace(job, strategy="hierarchical"), state)
    assert in_order == pytest.approx(float(row["flat_ring_site_order"]), rel=0.05)
    assert interleaved == pytest.approx(float(row["flat_ring_interleaved"]), rel=0.05)
    assert hierarchical == pytest.approx(float(row["hierarchical"]), rel=0.10)


@pytest.mark.parametrize("row", rows("tcp_loss"), ids=lambda row: row["loss"])
def test_an_all_reduce_over_losses_takes_what_gloo_took(row: dict[str, str]) -> None:
    state = span(300e6, 10, float(row["loss"]))
    bbr = all_reduce(16 * 2**20)
    # They were the best of five: the model tells the mean.
    assert step_ms(bbr, state) / 1e3 == pytest.approx(float(row["allreduce_bbr_s"]), rel=0.10)
    reno = replace(bbr, congestion_control="reno")
    assert step_ms(reno, state) / 1e3 == pytest.approx(float(row["allreduce_reno_s"]), rel=0.12)


@pytest.mark.parametrize("method", ["data-parallel", "DiLoCo H=100"])
@pytest.mark.parametrize("size", ["1B", "10B", "100B"])
def test_the_bandwidth_needed_is_of_the_published_order(size: str, method: str) -> None:
    row = next(
        row
        for row in published.texts("bandwidth")
        if (row["model"], row["method"]) == (size, method)
    )
    # Gradients of 2 bytes; the published simulation knows neither round trips nor windows.
    job = Job(
        sites=("a", "b"),
        gradient_bytes=int(size[:-1]) * 2 * 10**9,
        bucket_bytes=25 * 2**20,
        compute_s=float(row["step_s"]),
        period=100 if "H=100" in method else 1,
        congestion_control="bbr",
        access_bps=1e15,
        window_bytes=10**12,
    )
    for share in (50, 80, 90, 95):
        wanted = float(row[f"u{share}"]) * 1e9

        def utilisation(rate_bps: float) -> float:
            return job.compute_s / predict(job, DIRECT, {SPAN: span(rate_bps, 0, 0, 9000)}).step_s

        assert utilisation(wanted / 2.1) < share / 100 < utilisation(wanted * 2.1), share


def test_an_outage_stalls_a_step_as_long_as_was_measured() -> None:
    for row in rows("outage_stall"):
        outage_s, stall_s = float(row["outage_s"]), float(row["stall_s"])
        if outage_s < 0.5:
            continue  # shorter than TCP's smallest timeouts
        job, state = all_reduce(2**20), {SPAN: span(1e9, 1)}
        # One such outage in every hundred of its lengths.
        predicted = predict(job, DIRECT, state, {SPAN: 0.01}).terms["outage"]
        lost = predicted / (predict(job, DIRECT, state).step_s + predicted) * 100 * outage_s
        assert lost == pytest.approx(stall_s, rel=0.15)


JOB = Job(
    sites=tuple("aabb"),
    gradient_bytes=4_000_000,
    bucket_bytes=1_000_000,
    compute_s=0.1,
    access_bps=1e9,
    mtu=1500,
)


@pytest.mark.parametrize(
    ("dominant", "state", "changes"),
    [
        ("compute", span(1e9, 0.1), {}),
        ("bandwidth", span(20e6, 1), {}),
        ("latency", span(1e9, 60), {}),
        ("loss", span(1e9, 20, 0.01), {}),
        ("window", span(1e9, 20), {"window_bytes": 20_000}),
    ],
)
def test_the_cause_that_was_put_in_dominates(
    dominant: str, state: Duplex, changes: Mapping[str, object]
) -> None:
    found = predict(replace(JOB, **changes), DIRECT, {SPAN: state})  # type: ignore[arg-type]
    assert found.dominant == dominant
    assert tuple(found.terms) == CAUSES
    assert found.low_s <= found.step_s <= found.high_s
    assert found.terms[found.dominant] == max(found.terms.values())


def test_time_lost_to_outages_is_added() -> None:
    states = {SPAN: span(1e9, 0.1)}
    found = predict(JOB, DIRECT, states, {SPAN: 0.4})
    assert found.dominant == "outage"
    assert found.step_s == pytest.approx(predict(JOB, DIRECT, states).step_s / (1 - 2 * 0.4))


def test_over_a_cut_span_no_step_ends() -> None:
    state = replace(span(1e9, 1).forward, up=False)
    found = predict(JOB, DIRECT, {SPAN: Duplex.both(state)})
    assert math.isinf(found.step_s) and found.dominant == "outage"
    value, low, high, dominant = coherence(JOB, DIRECT, {SPAN: Duplex.both(state)}, span(1e9, 0.01))
    assert (value, low, high, dominant) == (0, 0, 0, "outage")


def test_without_a_way_no_step_ends() -> None:
    found = predict(JOB, {("a", "b"): DIRECT["a", "b"]}, {SPAN: span(1e9, 1)})
    assert math.isinf(found.step_s) and found.dominant == "outage"


def test_coherence_is_one_over_campus_grade_spans_and_falls_with_delay() -> None:
    reference = span(1e9, 0.1)
    at = [coherence(JOB, DIRECT, {SPAN: span(1e9, rtt)}, reference)[0] for rtt in (0.1, 10, 40)]
    assert at[0] == 1
    assert at[0] > at[1] > at[2]


def test_each_cause_can_only_make_a_step_longer() -> None:
    for rate, rtt, loss in itertools.product((1e7, 1e9), (0.2, 30), (0, 1e-3)):
        for strategy in ("ddp", "hierarchical"):
            job = replace(JOB, strategy=strategy)
            found = predict(job, DIRECT, {SPAN: span(rate, rtt, loss)})
            assert min(found.terms.values()) >= -1e-9
            assert found.step_s >= job.compute_s


def test_a_hierarchy_wins_over_a_slow_span() -> None:
    slow = {SPAN: span(20e6, 20)}
    hierarchical = predict(replace(JOB, strategy="hierarchical"), DIRECT, slow)
    assert hierarchical.step_s < 0.8 * predict(JOB, DIRECT, slow).step_s


def test_averaging_every_hundredth_step_costs_a_hundredth() -> None:
    state = {SPAN: span(20e6, 20)}
    often, rarely = (predict(replace(JOB, period=period), DIRECT, state) for period in (10, 100))
    assert often.step_s - JOB.compute_s == pytest.approx(
        10 * (rarely.step_s - JOB.compute_s), rel=0.01
    )


def test_without_overlap_communication_comes_on_top_of_compute() -> None:
    state = {SPAN: span(20e6, 20)}
    beside, after = (
        predict(replace(JOB, overlap=overlap), DIRECT, state) for overlap in (True, False)
    )
    alone = predict(replace(JOB, overlap=False, compute_s=0.0), DIRECT, state)
    assert after.step_s == pytest.approx(JOB.compute_s + alone.step_s)
    assert JOB.compute_s < beside.step_s < after.step_s


@pytest.mark.parametrize(
    "changes", [{"period": 0}, {"strategy": "gossip"}, {"congestion_control": "vegas"}]
)
def test_a_job_without_a_model_is_refused(changes: Mapping[str, object]) -> None:
    with pytest.raises(ValueError):
        replace(JOB, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gradients", "bucket"), [(4_000_000, 1_000_000), (1_200_000, 400_000), (10**9, 10**6), (40, 4)]
)
def test_buckets_are_those_of_the_trained_model(gradients: int, bucket: int) -> None:
    from workloads.sizes import layers_for

    found = replace(JOB, gradient_bytes=gradients, bucket_bytes=bucket).buckets()
    assert sum(size for size, _ in found) == pytest.approx(gradients)
    assert len(found) <= layers_for(gradients, bucket)
    assert all(size >= min(bucket, gradients) - 4 for size, _ in found[:-1])
    ready = [at_s for _, at_s in found]
    assert ready == sorted(ready) and ready[-1] == pytest.approx(JOB.compute_s)


TRIANGLE = {"a-b": ("a", "b"), "b-c": ("b", "c"), "a-c": ("a", "c")}


def shortest(states: Mapping[str, Duplex]) -> Crossings:
    """Return the ways of least delay between three sites, directly or through the third."""
    found = {}
    for a, b in itertools.permutations("abc", 2):
        (c,) = set("abc") - {a, b}
        ways = []
        for stops in ((a, b), (a, c, b)):
            way = []
            for x, y in itertools.pairwise(stops):
                name = next(name for name, ends in TRIANGLE.items() if set(ends) == {x, y})
                way.append((name, int(TRIANGLE[name] != (x, y))))
            ways.append((sum(states[name].round_trip_ns for name, _ in way), tuple(way)))
        found[a, b] = min(ways)[1]
    return found


OPTIONS = [span(rate, rtt, loss) for rate in (1e8, 1e9) for rtt in (1, 15) for loss in (0, 1e-3)]


@pytest.mark.parametrize("strategy", ["ddp", "hierarchical"])
def test_sets_are_predicted_as_one_by_one(strategy: str) -> None:
    job = replace(JOB, sites=tuple("aabbcc"), strategy=strategy)  # type: ignore[arg-type]
    options = dict.fromkeys(TRIANGLE, OPTIONS)
    sets = np.random.default_rng(1).integers(0, len(OPTIONS), (60, 3))
    asked = []

    def crossings_of(states: Mapping[str, Duplex]) -> Crossings:
        asked.append(states)
        return shortest(states)

    steps, dominant = predict_sets(job, crossings_of, options, sets)
    assert len(asked) <= 2**3, "only delays and cuts decide about routes"
    for row, step_s, cause in zip(sets, steps, dominant, strict=True):
        states = {name: OPTIONS[column] for name, column in zip(TRIANGLE, row, strict=True)}
        one = predict(job, shortest(states), states)
        assert step_s == pytest.approx(one.step_s)
        assert cause == one.dominant


def test_a_hundred_thousand_sets_take_less_than_ten_seconds() -> None:
    job = replace(JOB, sites=tuple("aabbcc"), gradient_bytes=2 * 10**9, bucket_bytes=25 * 2**20)
    options = {f"s{number}": OPTIONS for number in range(3)} | dict.fromkeys(TRIANGLE, OPTIONS)
    sets = np.random.default_rng(1).integers(0, len(OPTIONS), (100_000, 6))
    begin = time.process_time()
    steps, dominant = predict_sets(job, shortest, options, sets)
    assert time.process_time() - begin < 10
    assert len(steps) == len(dominant) == 100_000 and np.isfinite(steps).all()
