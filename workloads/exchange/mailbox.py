"""Messages of one size from one rank, received ahead of whoever takes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import torch
import torch.distributed as dist

AHEAD = 4
"""gloo sends no message before its receiver has asked for it: so many are asked for at once."""


def received(rank: int, tag: int, size: int, count: int) -> Iterator[torch.Tensor]:
    """Yield ``count`` messages of ``size`` bytes, in the order in which the rank sent them."""
    waiting: deque[tuple[torch.Tensor, dist.Work]] = deque()
    asked = 0
    for _ in range(count):
        while asked < count and len(waiting) < AHEAD:
            message = torch.empty(size, dtype=torch.uint8)
            work = dist.irecv(message, rank, tag=tag)
            assert work, "from another rank"
            waiting.append((message, work))
            asked += 1
        message, work = waiting.popleft()
        work.wait()
        yield message


class Outbox:
    """Messages under way, which must stay until they have left."""

    def __init__(self) -> None:
        """Begin with none."""
        self._under_way: deque[tuple[torch.Tensor, dist.Work]] = deque()

    def send(self, message: torch.Tensor, rank: int, tag: int) -> None:
        """Send a message without waiting for it to leave."""
        while self._under_way and self._under_way[0][1].is_completed():
            self._under_way.popleft()
        work = dist.isend(message, rank, tag=tag)
        assert work, "to another rank"
        self._under_way.append((message, work))

    def wait(self) -> None:
        """Wait until all have left."""
        while self._under_way:
            self._under_way.popleft()[1].wait()
