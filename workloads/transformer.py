"""A small decoder-only transformer over characters, put together from torch's own layers."""

from __future__ import annotations

import torch
from torch import nn

from workloads.compute import Pace
from workloads.corpus import ALPHABET
from workloads.lesson import Layered


class Embedding(nn.Module):
    """A vector for each character, and one for each place."""

    def __init__(self, width: int, context: int) -> None:
        """Make the vectors small, so that the blocks see them through their norms."""
        super().__init__()
        self.letters = nn.Embedding(len(ALPHABET), width)
        self.places = nn.Embedding(context, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens, ``(batch, context)``, to ``(batch, context, width)``."""
        vectors: torch.Tensor = self.letters(tokens) + self.places.weight[: tokens.shape[1]]
        return vectors


class Block(nn.TransformerEncoderLayer):
    """Attention to what came before, then a feed-forward layer, norms first."""

    def __init__(self, width: int, feed_forward: int, heads: int, context: int) -> None:
        """Take the dimensions; there is no dropout, since no text is read twice."""
        super().__init__(width, heads, feed_forward, 0.0, "gelu", batch_first=True, norm_first=True)
        # Not a buffer: DistributedDataParallel would broadcast it in each step.
        self._before = nn.Transformer.generate_square_subsequent_mask(context)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Map ``(batch, context, width)`` to the same shape."""
        return super().forward(x, src_mask=self._before, is_causal=True)


class Transformer(Layered):
    """An embedding, blocks and a head, which together know nothing of what comes later."""

    def __init__(
        self,
        blocks: int,
        width: int,
        feed_forward: int,
        heads: int,
        context: int,
        rate: float,
        pace: Pace,
    ) -> None:
        """Take the dimensions and the learning rate."""
        head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, len(ALPHABET), bias=False))
        many = [Block(width, feed_forward, heads, context) for _ in range(blocks)]
        super().__init__([Embedding(width, context), *many, head], pace)
        self._rate = rate

    def optimizer(self) -> torch.optim.Optimizer:
        """Make what steps along the gradients; plain descent hardly trains a transformer."""
        return torch.optim.AdamW(self.parameters(), lr=self._rate)
