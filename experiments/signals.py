"""What tells a command to stop, as an exception."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from experiments.errors import Interrupted


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], None]]:
    """Turn the first Ctrl-C, SIGTERM or SIGHUP into `Interrupted`; ignore all that follow.

    Yields a function that ignores them from now on.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def ignore() -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)

    def stop(number: int, frame: FrameType | None) -> None:
        ignore()
        raise Interrupted

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield ignore
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
