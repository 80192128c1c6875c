"""The transformer: exactly as many bytes as it states, blind to what follows, and it learns."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workloads.lessons import TASK, job_of, lesson_of, sized
from workloads import tasks
from workloads.corpus import ALPHABET, language, spelt
from workloads.lesson import Lesson


def losses_of(lesson: Lesson, steps: int) -> list[float]:
    """Train alone; return the loss of each step."""
    torch.set_num_threads(1)
    optimizer: Any = lesson.model.optimizer()  # type: ignore[operator]
    losses, batch = [], lesson.batches(0, None)
    for step in range(steps):
        lesson.pace.begin(time.monotonic_ns())
        inputs, targets = batch(step)
        optimizer.zero_grad()
        loss = lesson.loss(lesson.model(inputs), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@settings(max_examples=200, deadline=None)
@given(st.integers(40_000, 40_000_000), st.integers(1, 8), st.sampled_from([16, 64, 256]))
def test_its_size_comes_near_to_what_is_wanted(wanted: int, layers: int, context: int) -> None:
    try:
        model = sized(wanted, layers=layers, context=context)
    except ValueError as error:
        assert "too few" in str(error)
        return
    assert model.gradient_bytes == pytest.approx(wanted, rel=0.01)
    width, wide = (int(model.options[key]) for key in ("width", "feed_forward"))
    assert 1.5 * width <= wide <= 8 * width, "it still looks like a transformer"


def test_a_stated_width_is_kept() -> None:
    model = sized(400_000, width=48)
    assert model.options["width"] == 48
    assert model.gradient_bytes == pytest.approx(400_000, rel=0.01)


@pytest.mark.parametrize(
    ("wanted", "stated", "parts"),
    [
        (8_000, {}, ("8000 B of gradients are too few", "at least", "emulate.bytes")),
        (400_000, {"width": 30}, ("width: 30 is not a multiple of heads (4)",)),
        (400_000, {"width": 8}, ("width: 8 goes with", "not with the 400000 B", "leave it out")),
        (400_000, {"width": 256}, ("width: 256 goes with",)),
    ],
    ids=["too small", "no multiple", "too narrow", "too wide"],
)
def test_what_is_no_transformer_is_refused(
    wanted: int, stated: dict[str, Any], parts: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError) as caught:
        sized(wanted, **stated)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize("stated", [{}, {"layers": 3, "heads": 2, "context": 16}], ids=str)
def test_its_parameters_are_those_it_states(tmp_path: Path, stated: dict[str, Any]) -> None:
    wanted = sized(60_000, **stated)
    lesson = lesson_of(job_of(tmp_path, task_options=stated))
    layers = tuple(
        tuple(tuple(it.shape) for it in layer.parameters()) for layer in lesson.model.layers
    )
    assert layers == wanted.layers
    assert sum(it.nbytes for it in lesson.model.parameters()) == wanted.gradient_bytes
    assert wanted.gradient_bytes == sum(map(sum, wanted.layer_bytes)) == 4 * wanted.parameters
    assert not list(lesson.model.buffers()), "which would be broadcast in each step"
    losses_of(lesson, 1)
    assert all(it.grad is not None for it in lesson.model.parameters())


def test_it_does_not_see_what_follows(tmp_path: Path) -> None:
    lesson = lesson_of(job_of(tmp_path))
    inputs, _ = lesson.batches(0, None)(0)
    changed = inputs.clone()
    changed[:, 40:] = (changed[:, 40:] + 1) % len(ALPHABET)
    with torch.no_grad():
        lesson.pace.begin(time.monotonic_ns())
        first, second = lesson.model(inputs), lesson.model(changed)
    torch.testing.assert_close(first[:, :40], second[:, :40])
    assert not torch.equal(first[:, 40:], second[:, 40:])


def test_ranks_read_texts_of_their_own_and_none_twice(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    one, other = (lesson_of(job).batches(shard, None) for shard in (0, 1))
    inputs, targets = one(3)
    assert torch.equal(inputs[:, 1:], targets[:, :-1]), "what is sought is what comes next"
    assert torch.equal(one(3)[0], inputs)
    assert not torch.equal(one(4)[0], inputs)
    assert not torch.equal(other(3)[0], inputs)
    assert {word for row in inputs for word in spelt(row.numpy()).split(" ")[1:-1]} <= {
        *language().words
    }
    models = (lesson_of(job, rank).model.parameters() for rank in (0, 1))
    for mine, its in zip(*models, strict=True):
        assert torch.equal(mine, its), "and begin alike"


def test_the_same_seed_has_the_same_losses(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    first, again = (losses_of(lesson_of(job), 5) for _ in range(2))
    assert first == again
    assert losses_of(lesson_of(replace(job, seed=job.seed + 1)), 5) != first


def test_it_learns_until_little_but_the_entropy_is_left(tmp_path: Path) -> None:
    options = {"layers": 1, "batch": 16, "rate": 0.01}
    losses = losses_of(lesson_of(job_of(tmp_path, 100_000, task_options=options)), 300)
    assert losses[0] == pytest.approx(3.4, abs=0.4), "of 27 letters it knows none: ln 27 = 3.30"
    means = [sum(losses[begin : begin + 50]) / 50 for begin in range(0, 300, 50)]
    assert means == sorted(means, reverse=True)
    assert tasks.best_loss(TASK) == language().entropy
    assert language().entropy < means[-1] < 0.9
