"""A progress bar that is gone from the terminal once it is left."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rich.progress import Progress

if TYPE_CHECKING:
    from typing_extensions import Self


class Bar:
    """Holds a bar, which whoever shows something on it starts."""

    def __init__(self, progress: Progress) -> None:
        """Take it."""
        self._progress = progress

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress.live.is_started:
            self._progress.stop()
