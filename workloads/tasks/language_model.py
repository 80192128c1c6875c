"""The task ``language-model``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.corpus import ALPHABET, language
from workloads.option import Option, Value
from workloads.sizes import FLOAT_BYTES, Shape, Sized

if TYPE_CHECKING:
    from workloads.job import Job, Rank
    from workloads.lesson import Lesson

OPTIONS = {
    "layers": Option(2, "transformer blocks", least=1, most=32),
    "width": Option(0, "of a block; 0 for that which goes with a feed-forward 4 times as wide"),
    "heads": Option(4, "of attention; they share the width", least=1, most=32),
    "context": Option(64, "characters that it sees", least=8, most=1024),
    "batch": Option(4, "texts of that length that a rank learns from in a step", least=1, most=256),
    "rate": Option(0.01, "learning rate of AdamW at a width of 64; less for wider", least=1e-9),
}
BEST_LOSS = language().entropy
RATE_WIDTH = 64
"""The best rate falls with the width (Yang et al., 2022), and small models show it: 0.01 at 68, but
half of that at 140, learns most in a hundred steps (grade: measured)."""
USUAL, NARROWEST, WIDEST = 4, 1, 16
"""How many times as wide as a block its feed-forward layer is (Vaswani et al., 2017), or may be."""


@dataclass(frozen=True)
class Form:
    """A decoder-only transformer's dimensions, of which all of its parameters follow."""

    blocks: int
    width: int
    feed_forward: int
    context: int

    @property
    def layers(self) -> tuple[tuple[Shape, ...], ...]:
        """Return the shapes of all parameters: of the embedding, each block, and the head."""
        d, wide, letters = self.width, self.feed_forward, len(ALPHABET)
        attention: tuple[Shape, ...] = ((3 * d, d), (3 * d,), (d, d), (d,))
        forward: tuple[Shape, ...] = ((wide, d), (wide,), (d, wide), (d,))
        block = (*attention, *forward, *(((d,),) * 4))
        return (
            ((letters, d), (self.context, d)),
            *((block,) * self.blocks),
            ((d,), (d,), (letters, d)),
        )

    @property
    def wideness(self) -> float:
        """Return how many times as wide as a block its feed-forward layer is."""
        return max(1e-9, self.feed_forward / self.width)  # where nothing is left for it, next to 0

    @property
    def floats(self) -> int:
        """Return the number of parameters."""
        return sum(math.prod(shape) for layer in self.layers for shape in layer)


def sized(options: Mapping[str, Value], gradient_bytes: int, bucket_bytes: int) -> Sized:
    """Return the transformer whose parameters come nearest to the wanted bytes.

    The width is as stated, or that which leaves feed-forward layers nearest to their usual width;
    their own width then takes up the rest, in steps of about a hundredth of the whole or less.
    Raises ValueError where a model would be too small for that, or would not look like one.
    """
    blocks, heads, context = (int(options[key]) for key in ("layers", "heads", "context"))

    def of(width: int, feed_forward: int) -> Form:
        return Form(blocks, width, feed_forward, context)

    def fitted(width: int) -> Form:
        one, two = (of(width, wide).floats for wide in (1, 2))
        return of(width, 1 + round((gradient_bytes / FLOAT_BYTES - one) / (two - one)))

    width = int(options["width"])
    if width % heads:
        raise ValueError(f"width: {width} is not a multiple of heads ({heads})")
    if width == 0:
        width = 2 * heads
        least_bytes = FLOAT_BYTES * of(width, USUAL * width).floats
        if least_bytes > gradient_bytes:
            raise ValueError(
                f"{gradient_bytes} B of gradients are too few for a transformer of {blocks} layers "
                f"and {heads} heads, which has {least_bytes} B at least; make gradients x "
                "emulate.bytes more, or layers, heads or context less"
            )
        width += heads * _most(
            lambda more: (
                FLOAT_BYTES * of(width + more * heads, USUAL * (width + more * heads)).floats
                <= gradient_bytes
            )
        )
        width = min(width, width + heads, key=lambda it: abs(math.log(fitted(it).wideness / USUAL)))
    form = fitted(width)
    if not NARROWEST <= form.wideness <= WIDEST:
        least, most = (FLOAT_BYTES * of(width, it * width).floats for it in (NARROWEST, WIDEST))
        raise ValueError(
            f"width: {width} goes with {least} to {most} B of gradients, not with the "
            f"{gradient_bytes} B that gradients x emulate.bytes are; leave it out, and it follows"
        )
    about = f"{blocks} blocks of width {width}, feed-forward {form.feed_forward}, context {context}"
    chosen = {**options, "width": width, "feed_forward": form.feed_forward}
    return Sized("language-model", chosen, form.layers, about)


def _most(fits: Callable[[int], bool]) -> int:
    """Return the largest number of 0 or more that fits, where all below it do, in few tries."""
    low, high = 0, 1
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def language_model(job: Job, me: Rank) -> Lesson:
    """A decoder-only transformer that learns to write a made-up language, of known entropy."""
    import torch
    from torch import nn

    from workloads.compute import Pace
    from workloads.lesson import Batches, Lesson
    from workloads.transformer import Transformer

    options = job.task_options
    blocks, width, wide, context, heads, batch = (
        int(options[key])
        for key in ("layers", "width", "feed_forward", "context", "heads", "batch")
    )
    form = Form(blocks, width, wide, context)
    layer_floats = [sum(map(math.prod, layer)) for layer in form.layers]
    pace = Pace(job.compute_ns, len(layer_floats), layer_floats)
    rate = float(options["rate"]) * RATE_WIDTH / width
    model = Transformer(blocks, width, wide, heads, context, rate, pace)
    assert form.floats * FLOAT_BYTES == job.gradient_bytes, "bytes are checked against counters"

    def texts(shard: int, rows: int | None) -> Batches:
        """Return new text for each step: what it is, and what comes after each character."""

        def text(step: int) -> tuple[torch.Tensor, torch.Tensor]:
            count = rows or batch
            written = language().text((job.seed, shard, step), count * (context + 1))
            lines = torch.from_numpy(written).view(count, context + 1)
            return lines[:, :-1], lines[:, 1:]

        return text

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())

    return Lesson(model, pace, texts, loss)
