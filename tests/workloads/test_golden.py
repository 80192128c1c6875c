"""Golden arithmetic: what ranks compute together, one process computes by formulas alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.workloads.launcher import loopback_job, run_ranks
from workloads import strategies

Values = NDArray[np.float64]

CASES = [
    ("ddp", "we", {}),
    ("ddp", "wee", {}),
    ("hierarchical", "we", {}),
    ("hierarchical", "wwee", {}),
    ("hierarchical", "wwweee", {}),
    ("hierarchical", "wewe", {}),
    ("hierarchical", "wwe", {}),
    ("hierarchical", "wwees", {}),
    ("hierarchical", "www", {}),
    ("fp16", "we", {}),
    ("parallel-groups", "we", {"connections": 2}),
    ("parallel-groups", "wee", {"connections": 3}),
    ("pipeline", "we", {"microbatches": 4, "activations": 3_000}),
    ("pipeline", "wwee", {"microbatches": 2, "activations": 400}),
    ("pipeline", "wes", {"microbatches": 5, "activations": 400}),
    ("fsdp-hybrid", "wwee", {}),
    ("fsdp-hybrid", "wwweee", {}),
    ("async-ps", "we", {}),
    ("async-ps", "wees", {"staleness": 1}),
    ("serving", "we", {"requests": 3, "request": 400, "response": 400}),
    ("serving", "wwe", {"requests": 2, "request": 8, "response": 32}),
    ("local-sgd", "wee", {"every": 2}),
    ("diloco", "we", {"every": 2, "inner_rate": 0.01}),
    ("diloco", "wee", {"every": 3, "outer_rate": 0.5, "outer_momentum": 0.5, "half": False}),
    ("streaming-diloco", "we", {"every": 3, "fragments": 2, "delay": 1, "inner_rate": 0.01}),
    (
        "streaming-diloco",
        "wee",
        {"every": 3, "fragments": 3, "delay": 2, "mixing": 0.25, "half": False},
    ),
    ("streaming-diloco", "we", {"every": 2, "fragments": 1, "delay": 0, "mixing": 0.0}),
    ("int8", "we", {}),
    ("int8", "wee", {}),
    ("int8", "wee", {"feedback": False}),
    ("top-k", "we", {"density": 0.05}),
    ("top-k", "wee", {"density": 0.3}),
]
"""A strategy, the site of each rank by its first letter, and options."""
ONE_BUCKET = {"int8", "top-k"}
"""What these send depends on which values are neighbours in a bucket: one matrix is all of it."""


@dataclass(frozen=True)
class Found:
    """By rank: parameters after each step, and what it said of them; by step, the reference."""

    values: Values
    reference: Values
    agreed: list[list[str | None]]
    among: list[list[str]]
    communicated: list[list[bool]]
    overlapped: list[list[bool]]
    divergence: list[list[float | None]]
    notes: list[list[dict[str, Any]]]


def trained(
    folder: Path, strategy: str, sites: str, options: dict[str, Any], layers: int = 4
) -> Found:
    job = loopback_job(
        folder,
        len(sites),
        strategy=strategy,
        options=options,
        gradient_bytes=8_000 if layers > 1 else 4 * 40 * 40,
        bucket_bytes=3_000,
        steps=6,
    )
    found = run_ranks(job, sites, layers, "values")
    ranks = found["ranks"]
    told = ("agreed", "among", "communicated", "overlapped", "divergence", "notes")
    return Found(
        np.array([rank["values"] for rank in ranks]),
        np.array(found["reference"]).swapaxes(0, 1),
        *([rank[key] for rank in ranks] for key in told),
    )


@pytest.mark.parametrize(("strategy", "sites", "options"), CASES)
def test_ranks_follow_the_reference(
    tmp_path: Path, strategy: str, sites: str, options: dict[str, Any]
) -> None:
    found = trained(tmp_path, strategy, sites, options, 1 if strategy in ONE_BUCKET else 4)
    assert found.values.shape == found.reference.shape
    # The same sums in another order: float32 carries 24 bits, over six steps; a half carries 11, of
    # ways that are under 0.1 here.
    halves = strategies.settled(strategy, options).get("half", False)
    atol = 1e-4 if halves else 1e-7
    np.testing.assert_allclose(found.values, found.reference, rtol=1e-5, atol=atol)
    for step, hashes in enumerate(zip(*found.agreed, strict=True)):
        among = [rank[step] for rank in found.among]
        assert len(set(zip(among, hashes, strict=True))) == len(set(among)), "bit-identical"
        if strategies.declaration(strategy).synchronous:
            assert all(hashes), "and that is all of it, in every step"
            assert all(found.communicated[rank][step] for rank in range(len(sites)))


def test_every_strategy_has_a_golden_test() -> None:
    others = {"powersgd"}
    assert strategies.names() == sorted({strategy for strategy, _, _ in CASES} | others)


@pytest.mark.parametrize("strategy", ["local-sgd", "diloco"])
def test_ranks_that_train_alone_agree_at_times(tmp_path: Path, strategy: str) -> None:
    found = trained(tmp_path, strategy, "wee", {"every": 3})
    for step in range(6):
        together = step % 3 == 2
        alike = (found.values[:, step] == found.values[0, step]).all()
        assert alike == together
        for rank in range(3):
            assert (found.agreed[rank][step] is not None) == together
            assert found.communicated[rank][step] == together
            divergence = found.divergence[rank][step]
            assert (divergence is not None and divergence > 0) == together


def test_fragments_that_are_taken_at_once_and_whole_are_diloco(tmp_path: Path) -> None:
    """Of one fragment, without delay or mixing."""
    shared = {"every": 2, "inner_rate": 0.01}
    plain = trained(tmp_path, "diloco", "we", shared)
    at_once = {**shared, "fragments": 1, "delay": 0, "mixing": 0.0}
    streamed = trained(tmp_path, "streaming-diloco", "we", at_once)
    assert (plain.values == streamed.values).all()


@pytest.mark.parametrize("staleness", [0, 2])
def test_no_worker_gets_further_ahead_than_the_bound(tmp_path: Path, staleness: int) -> None:
    found = trained(tmp_path, "async-ps", "wee", {"staleness": staleness})
    steps = range(len(found.notes[0]))
    pushed = [[rank[step]["pushed"] for step in steps] for rank in found.notes]
    assert sorted(number for rank in pushed for number in rank) == list(range(1, 3 * 6 + 1))
    for rank, notes in enumerate(found.notes):
        for step in steps:
            version = notes[step]["pulled"]
            slowest = min(sum(number <= version for number in other) for other in pushed)
            assert step + 1 - slowest <= staleness
            held = notes[step - 1]["pulled"] if step else 0
            others = [number for other in pushed if other is not pushed[rank] for number in other]
            between = [number for number in others if held < number < pushed[rank][step]]
            assert notes[step]["staleness"] == len(between)
            assert found.divergence[rank][step]


@pytest.mark.parametrize("response", [24, 400])
def test_requests_are_answered_by_the_model(tmp_path: Path, response: int) -> None:
    from tests.workloads.references import answered

    options = {"requests": 3, "request": 8, "response": response}
    found = trained(tmp_path, "serving", "wwe", options)
    job = loopback_job(tmp_path, 3, strategy="serving", options=options, gradient_bytes=8_000)
    for rank, notes in enumerate(found.notes):
        for step, told in enumerate(notes):
            assert told["checksum"] == pytest.approx(answered(job, 4, rank, step), abs=1e-4)
            assert len(told["latencies_us"]) == 3 and min(told["latencies_us"]) > 0


def test_ddp_without_overlap_computes_the_same_bits(tmp_path: Path) -> None:
    overlapped = trained(tmp_path, "ddp", "wee", {})
    deferred = trained(tmp_path, "ddp", "wee", {"overlap": False})
    assert (overlapped.values == deferred.values).all()
    # In the first step, all gradients are one bucket.
    assert all(all(steps[1:]) for steps in overlapped.overlapped)
    assert not any(any(steps) for steps in deferred.overlapped)


def test_divergence_is_the_distance_from_the_mean(tmp_path: Path) -> None:
    last = trained(tmp_path, "local-sgd", "wee", {"every": 6})
    alone = trained(tmp_path, "local-sgd", "wee", {"every": 7})
    apart = alone.values[:, 5] - alone.values[:, 5].mean(axis=0)
    told = [rank[5] for rank in last.divergence]
    np.testing.assert_allclose(np.array(told, float), np.linalg.norm(apart, axis=1), rtol=1e-3)


def test_powersgd_averages_whole_at_first_then_in_few_dimensions(tmp_path: Path) -> None:
    found = trained(tmp_path, "powersgd", "wee", {"rank": 3}, layers=1)
    assert (found.values == found.values[0]).all(), "replicas are bit-identical"
    whole, values = found.reference[0], found.values[0]
    np.testing.assert_allclose(values[:2], whole[:2], rtol=1e-5, atol=1e-7)
    # The third step has no error to feed back yet: it is the mean gradient, projected orthogonally
    # on as many dimensions as the rank (Vogels et al. 2019, algorithm 1).
    mean = (whole[2] - whole[1]).reshape(40, 40)
    taken = (values[2] - values[1]).reshape(40, 40)
    left, sizes, _ = np.linalg.svd(taken)
    assert sizes[2] > 100 * sizes[3]
    basis = left[:, :3]
    np.testing.assert_allclose(taken, basis @ basis.T @ mean, atol=1e-6)
    assert np.linalg.norm(mean - taken) < np.linalg.norm(mean)
