"""An average that waits for the whole backward pass, as training without overlap does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Future = torch.futures.Future[torch.Tensor]


class Deferred:
    """A hook that begins no exchange before the last bucket is ready; then all, in their order.

    The same buckets meet by the same collectives, so that not a bit differs from overlapping them.
    """

    def __init__(self, hook: Callable[[Any], Future]) -> None:
        """Take the hook that averages a bucket."""
        self._hook = hook
        self._waiting: list[tuple[Any, Future]] = []

    def __call__(self, bucket: Any) -> Future:
        """Promise a bucket's averaged gradients (`torch.distributed.GradBucket`)."""
        averaged = Future()
        self._waiting.append((bucket, averaged))
        if bucket.is_last():
            waiting, self._waiting = self._waiting, []
            for each, promise in waiting:
                self._hook(each).add_done_callback(kept(promise))
        return averaged


def kept(promise: Future) -> Callable[[Future], None]:
    """Return what keeps a promise with what another has come to, be it an error."""

    def keep(done: Future) -> None:
        try:
            promise.set_result(done.value())
        except Exception as error:  # it is that of the backward pass, which raises it
            promise.set_exception(error)  # type: ignore[arg-type]

    return keep
