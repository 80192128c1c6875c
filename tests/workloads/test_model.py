"""The small real model: exactly as many gradient bytes as wanted, at the declared pace."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workloads.launcher import loopback_job
from workloads.compute import Pace
from workloads.job import Job
from workloads.model import BATCH, SizedModel
from workloads.sizes import MAX_LAYERS, layers_for

MS = 10**6


def gradients_of(model: SizedModel) -> int:
    """Return the bytes of gradients after one backward pass."""
    loss = model(torch.ones(BATCH, model.width)).square().mean()
    loss.backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    assert all(gradient is not None for gradient in gradients)
    return sum(gradient.nbytes for gradient in gradients if gradient is not None)


@settings(max_examples=40, deadline=None)
@given(st.integers(1024, 200_000), st.integers(256, 100_000))
def test_gradients_have_exactly_the_wanted_size(floats: int, bucket_bytes: int) -> None:
    wanted = floats * 4
    layers = layers_for(wanted, bucket_bytes)
    pace = Pace(0, layers)
    pace.begin(time.monotonic_ns())
    assert gradients_of(SizedModel(wanted, layers, pace)) == wanted


@settings(max_examples=100, deadline=None)
@given(st.integers(4, 10**10), st.integers(1024, 10**9))
def test_layers_fill_buckets(gradient_bytes: int, bucket_bytes: int) -> None:
    layers = layers_for(gradient_bytes, bucket_bytes)
    assert 1 <= layers <= min(MAX_LAYERS, gradient_bytes // 4)
    if gradient_bytes >= 4 * MAX_LAYERS:
        assert layers >= min(8, 2 * math.ceil(gradient_bytes / bucket_bytes))


def test_more_layers_than_floats_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fill"):
        SizedModel(8, 4, Pace(0, 4))


def test_a_step_takes_the_declared_time() -> None:
    compute_ns = 120 * MS
    pace = Pace(compute_ns, 8)
    model = SizedModel(20_000, 8, pace)
    inputs = torch.ones(BATCH, model.width)
    start_ns = time.monotonic_ns()
    pace.begin(start_ns)
    output = model(inputs)
    forward_ns = time.monotonic_ns() - start_ns
    output.square().mean().backward()
    total_ns = time.monotonic_ns() - start_ns
    assert forward_ns >= compute_ns / 3
    assert total_ns >= compute_ns
    assert pace.computed_ns - start_ns >= compute_ns
    # Not earlier is demanded; how much later is the machine's: it may be busy.
    assert total_ns < compute_ns + 500 * MS


def test_gradients_become_ready_one_layer_after_the_other() -> None:
    pace = Pace(80 * MS, 4)
    model = SizedModel(4000, 4, pace)
    ready: list[tuple[int, float]] = []
    start_ns = time.monotonic_ns()
    for index, layer in enumerate(model.layers):
        parameter = next(layer.parameters())  # its weight
        parameter.register_post_accumulate_grad_hook(
            lambda _, index=index: ready.append((index, (time.monotonic_ns() - start_ns) / 80e6))
        )
    pace.begin(start_ns)
    model(torch.ones(BATCH, model.width)).square().mean().backward()
    assert [index for index, _ in ready] == [3, 2, 1, 0]
    for (_, when), due in zip(ready, (1 / 2, 2 / 3, 5 / 6, 1), strict=True):
        assert when >= due


def test_pacing_does_not_change_the_arithmetic() -> None:
    torch.manual_seed(1)
    pace = Pace(0, 4)
    pace.begin(time.monotonic_ns())
    model = SizedModel(4000, 4, pace)
    inputs = torch.randn(BATCH, model.width)
    plain = inputs
    for layer in model.layers:
        plain = layer(plain)
    assert torch.equal(model(inputs), plain)


def test_a_job_survives_its_wire_form(tmp_path: Path) -> None:
    job = loopback_job(tmp_path, ranks=3, hosts_file="/tmp/hosts")
    assert "\n" not in job.to_json()
    assert Job.from_json(job.to_json()) == job
