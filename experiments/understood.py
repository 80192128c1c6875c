"""Folders that another version of spanlab left, or somebody made up: what does not fit is said.

What a run leaves is the project's own, and is not checked key by key where it is read. What does
not fit makes reading it fail somewhere, which is the folder's fault and told as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jinja2 import TemplateError

from topologies.errors import NetworkError
from topologies.files import FileError
from topologies.shown import short

MOST_ROWS = 2_000_000
"""Of a table that is read whole: 100,000 steps of 20 ranks."""
_UNFIT = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TemplateError),
    *(TypeError, ValueError),
)


@contextmanager
def understood(folder: Path) -> Iterator[None]:
    """Raise FileError, naming the folder, where what is read in it is not what a run leaves."""
    try:
        yield
    except NetworkError:
        raise
    except _UNFIT as error:
        told = short(str(error).partition("\n")[0], 200)
        raise FileError(
            f"{folder}: was left by another version of spanlab, or changed "
            f"({type(error).__name__}: {told}); run its scenario again"
        ) from error
