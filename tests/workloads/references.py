"""What strategies should compute, in one process, by formulas written out."""

from __future__ import annotations

import math
import time
from typing import Any, Protocol

import torch
from torch import nn

from tests.workloads.golden_ranks import data_of, fresh, values
from workloads.exchange.replica import LEARNING_RATE
from workloads.job import Job
from workloads.model import BATCH
from workloads.strategies import settled

Rows = list[torch.Tensor]
"""A row of values for each rank."""


class Alone:
    """One rank's gradients, in one process."""

    def __init__(self, job: Job, layers: int) -> None:
        self._model, self._pace = fresh(job, layers)
        self.start = values(self._model)

    @property
    def sizes(self) -> list[int]:
        """Floats of each layer."""
        return [sum(it.numel() for it in layer.parameters()) for layer in self._model.layers]

    def gradient(self, at: torch.Tensor, rank: int, step: int, rows: int = BATCH) -> torch.Tensor:
        """Return the gradient of a rank's loss, at those parameters."""
        nn.utils.vector_to_parameters(at.clone(), self._model.parameters())
        inputs, targets = data_of(rank, step, self._model.width, rows)
        self._pace.begin(time.monotonic_ns())
        self._model.zero_grad()
        nn.functional.mse_loss(self._model(inputs), targets).backward()
        gradients = [it.grad for it in self._model.parameters()]
        return torch.cat([it.flatten() for it in gradients if it is not None])


class Rule(Protocol):
    """How the ranks' parameters follow from their gradients."""

    def after(self, step: int, rows: Rows, gradients: Rows) -> Rows:
        """Return all ranks' parameters after a step."""


def reference(job: Job, layers: int, notes: list[list[Any]]) -> list[list[list[float]]]:
    """Return each rank's parameters after each step; ``notes`` tell of steps, by rank."""
    options: Any = settled(job.strategy, job.options)
    alone = Alone(job, layers)
    if job.strategy == "pipeline":
        return Pipelined(job, alone).history(options["microbatches"])
    if job.strategy == "async-ps":
        return Asynchronous(job, alone).history(notes)
    rules: dict[str, Any] = {
        "fp16": Halves,
        "int8": Bytes,
        "top-k": Largest,
        "local-sgd": LocalSgd,
        "diloco": Diloco,
        "streaming-diloco": Streaming,
        "serving": Still,
    }
    rule: Rule = Synchronous()
    if job.strategy in rules:
        rule = rules[job.strategy](**options)
    rows = [alone.start.clone() for _ in job.ranks]
    history = []
    for step in range(job.steps):
        gradients = [alone.gradient(row, rank, step) for rank, row in enumerate(rows)]
        rows = rule.after(step, rows, gradients)
        history.append([row.tolist() for row in rows])
    return history


def mean(rows: Rows) -> torch.Tensor:
    return torch.stack(rows).sum(0) / len(rows)


class Synchronous:
    """Gradient descent along one average; by itself, the mean."""

    def average(self, gradients: Rows) -> torch.Tensor:
        return mean(gradients)

    def after(self, step: int, rows: Rows, gradients: Rows) -> Rows:
        average = self.average(gradients)
        return [row - LEARNING_RATE * average for row in rows]


class Halves(Synchronous):
    """In numbers of 16 bits, which two ranks add in either order."""

    def average(self, gradients: Rows) -> torch.Tensor:
        assert len(gradients) == 2
        return (gradients[0].half() / 2 + gradients[1].half() / 2).float()


def in_bytes(values: torch.Tensor) -> torch.Tensor:
    scale = values.abs().max() / 127
    return torch.round(values / scale) * scale


class Bytes(Synchronous):
    """Slices rounded to eight bits, averaged, and rounded again."""

    def __init__(self, feedback: bool) -> None:
        self._feedback = feedback
        self._errors: Rows = []

    def average(self, gradients: Rows) -> torch.Tensor:
        ranks = len(gradients)
        size = math.ceil(len(gradients[0]) / ranks)
        wanted = [nn.functional.pad(row, (0, size * ranks - len(row))) for row in gradients]
        if self._errors:
            wanted = [row + error for row, error in zip(wanted, self._errors, strict=True)]
        sent = [torch.cat([in_bytes(part) for part in row.split(size)]) for row in wanted]
        if self._feedback:
            self._errors = [row - part for row, part in zip(wanted, sent, strict=True)]
        averaged = torch.cat([in_bytes(part) for part in mean(sent).split(size)])
        return averaged[: len(gradients[0])]


class Largest(Synchronous):
    """The largest values of each rank; what was not sent stays with it."""

    def __init__(self, density: float) -> None:
        self._density = density
        self._unsent: Rows = []

    def average(self, gradients: Rows) -> torch.Tensor:
        if self._unsent:
            gradients = [row + left for row, left in zip(gradients, self._unsent, strict=True)]
        count = math.ceil(self._density * len(gradients[0]))
        sent = []
        for row in gradients:
            least = row.abs().sort(descending=True).values[count - 1]
            sent.append(torch.where(row.abs() >= least, row, 0.0))
        self._unsent = [row - part for row, part in zip(gradients, sent, strict=True)]
        return mean(sent)


class Pipelined:
    """Gradient descent of the whole model along the mean over pipelines; a rank holds its stage."""

    def __init__(self, job: Job, alone: Alone) -> None:
        self._alone, self._steps = alone, job.steps
        self._sites = [rank.site for rank in job.ranks]
        self._stages = list(dict.fromkeys(self._sites))

    def history(self, rows: int) -> list[list[list[float]]]:
        """Return each rank's parameters after each step; those of other stages stay put."""
        pipelines = self._sites.count(self._stages[0])
        layers = torch.arange(len(self._alone.sizes)).tensor_split(len(self._stages))
        sizes = [sum(self._alone.sizes[layer] for layer in own) for own in layers]
        whole, history = self._alone.start, []
        for step in range(self._steps):
            found = [self._alone.gradient(whole, each, step, rows) for each in range(pipelines)]
            whole = whole - LEARNING_RATE * mean(found)
            history.append([self._held(whole, site, sizes).tolist() for site in self._sites])
        return history

    def _held(self, whole: torch.Tensor, site: str, sizes: list[int]) -> torch.Tensor:
        parts = list(self._alone.start.split(sizes))
        stage = self._stages.index(site)
        parts[stage] = whole.split(sizes)[stage]
        return torch.cat(parts)


class Asynchronous:
    """Gradients taken one by one, in the order in which they came, each at the worker's version."""

    def __init__(self, job: Job, alone: Alone) -> None:
        self._alone, self._steps, self._workers = alone, job.steps, len(job.ranks)

    def history(self, notes: list[list[Any]]) -> list[list[list[float]]]:
        """Replay the order; ``notes`` hold when each worker's gradient came and what it got."""
        order = {
            notes[worker][step]["pushed"]: (worker, step)
            for worker in range(self._workers)
            for step in range(self._steps)
        }
        versions = [self._alone.start]
        for number in range(1, len(order) + 1):
            worker, step = order[number]
            held = notes[worker][step - 1]["pulled"] if step else 0
            gradient = self._alone.gradient(versions[held], worker, step)
            versions.append(versions[-1] - LEARNING_RATE / self._workers * gradient)
        return [
            [versions[notes[worker][step]["pulled"]].tolist() for worker in range(self._workers)]
            for step in range(self._steps)
        ]


class LocalSgd:
    """Gradient descent of each rank, averaged at times."""

    def __init__(self, every: int) -> None:
        self._every = every

    def after(self, step: int, rows: Rows, gradients: Rows) -> Rows:
        rows = [row - LEARNING_RATE * it for row, it in zip(rows, gradients, strict=True)]
        return [mean(rows)] * len(rows) if (step + 1) % self._every == 0 else rows


class Still:
    """Parameters that nobody trains."""

    def __init__(self, **options: Any) -> None:
        pass

    def after(self, step: int, rows: Rows, gradients: Rows) -> Rows:
        return rows


def answered(job: Job, layers: int, client: int, step: int) -> float:
    """Return the sum of all numbers that should come back to a rank in a step of serving."""
    model, pace = fresh(job, layers)
    pace.begin(time.monotonic_ns())
    options: Any = settled(job.strategy, job.options)
    total = 0.0
    for turn in range(options["requests"]):
        number = step * options["requests"] + turn
        random = torch.Generator().manual_seed(job.seed + 1_000_003 * client + number)
        outputs = model(torch.randn(1, model.width, generator=random))[0]
        total += float(outputs[: (options["response"] - 8) // 4].detach().sum())
    return total


class AdamW:
    """Loshchilov and Hutter 2019, algorithm 2, with the defaults of torch."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._first = self._second = torch.zeros(())
        self._steps = 0

    def after(self, row: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        self._steps += 1
        self._first = 0.9 * self._first + 0.1 * gradient
        self._second = 0.999 * self._second + 0.001 * gradient**2
        first = self._first / (1 - 0.9**self._steps)
        second = self._second / (1 - 0.999**self._steps)
        decayed = row * (1 - self._rate * 0.01)
        return decayed - self._rate * first / (second.sqrt() + 1e-8)


def mean_way(ways: Rows, half: bool) -> torch.Tensor:
    """Return the mean; of halves, of two ranks, for a ring adds more of them in its own order."""
    parts = [way / len(ways) for way in ways]
    return torch.stack([part.half() for part in parts]).sum(0).float() if half else mean(ways)


class Diloco:
    """AdamW of each rank; Nesterov along the mean of their ways."""

    def __init__(
        self, every: int, inner_rate: float, outer_rate: float, outer_momentum: float, half: bool
    ) -> None:
        self._every, self._inner_rate, self._half = every, inner_rate, half
        self._rate, self._momentum = outer_rate, outer_momentum
        self._inner: list[AdamW] = []
        self._outer = torch.zeros(())
        self._velocity: torch.Tensor | float = 0.0

    def after(self, step: int, rows: Rows, gradients: Rows) -> Rows:
        if not self._inner:
            self._inner = [AdamW(self._inner_rate) for _ in rows]
            self._outer = rows[0]
        rows = [
            inner.after(row, gradient)
            for inner, row, gradient in zip(self._inner, rows, gradients, strict=True)
        ]
        if (step + 1) % self._every:
            return rows
        way = mean_way([self._outer - row for row in rows], self._half)
        self._velocity = self._momentum * self._velocity + way
        self._outer = self._outer - self._rate * (way + self._momentum * self._velocity)
        return [self._outer] * len(rows)


class Streaming:
    """The same by pieces: each is averaged in turn, and counts some steps later, in part."""

    def __init__(
        self,
        every: int,
        inner_rate: float,
        outer_rate: float,
        outer_momentum: float,
        half: bool,
        fragments: int,
        delay: int,
        mixing: float,
    ) -> None:
        self._every, self._inner_rate, self._half = every, inner_rate, half
        self._rate, self._momentum = outer_rate, outer_momentum
        self._fragments, self._delay, self._mixing = fragments, delay, mixing
        self._inner: list[AdamW] = []
        self._outer: Rows = []
        self._velocity: list[torch.Tensor | float] = [0.0] * fragments
        self._sent: dict[tuple[int, int], torch.Tensor] = {}
        """The mean way, by the step after which it counts and the piece."""

    def after(self, step: int, rows: Rows, gradients: Rows) -> Rows:
        if not self._inner:
            self._inner = [AdamW(self._inner_rate) for _ in rows]
            self._outer = list(rows[0].chunk(self._fragments))
        rows = [
            inner.after(row, gradient)
            for inner, row, gradient in zip(self._inner, rows, gradients, strict=True)
        ]
        pieces = [list(row.chunk(self._fragments)) for row in rows]
        for number in range(self._fragments):
            if (step + 1) % self._every == (
                number + 1
            ) * self._every // self._fragments % self._every:
                ways = [self._outer[number] - row[number] for row in pieces]
                self._sent[step + self._delay, number] = mean_way(ways, self._half)
            if (way := self._sent.pop((step, number), None)) is None:
                continue
            self._velocity[number] = velocity = self._momentum * self._velocity[number] + way
            self._outer[number] = self._outer[number] - self._rate * (
                way + self._momentum * velocity
            )
            for row in pieces:
                own, agreed = self._mixing * row[number], (1 - self._mixing) * self._outer[number]
                row[number] = own + agreed
        return [torch.cat(row) for row in pieces]
