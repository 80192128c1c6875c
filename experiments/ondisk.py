"""A list that lies in a file: for what a run looks at again only when it is over.

So the memory of a run does not grow with its changes, of which a lesson or a soak makes thousands.
"""

from __future__ import annotations

import errno
import os
import pickle
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar, overload

T = TypeVar("T")


class OnDisk(Sequence[T], Generic[T]):
    """A sequence of values that can be pickled, in a file without a name; the last one is at hand.

    The file is made with the first value. Raises OSError where the disk is full.
    """

    def __init__(self, values: Iterable[T] = ()) -> None:
        """Begin with some values."""
        self._file: int | None = None
        self._places, self._sizes, self._end = array("q"), array("q"), 0
        for value in values:
            self.append(value)

    def append(self, value: T) -> None:
        """Add a value."""
        place, size = self._write(value)
        self._places.append(place)
        self._sizes.append(size)
        self._last = value

    def __setitem__(self, index: int, value: T) -> None:
        self._places[index], self._sizes[index] = self._write(value)
        if index in (-1, len(self) - 1):
            self._last = value

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self[it] for it in range(*index.indices(len(self)))]
        place, size = self._places[index], self._sizes[index]
        if index in (-1, len(self) - 1):
            return self._last
        assert self._file is not None, "it holds a value"
        value: T = pickle.loads(os.pread(self._file, size, place))
        return value

    def _write(self, value: T) -> tuple[int, int]:
        """Write a value after all others; return where, and how many bytes."""
        data, place = pickle.dumps(value), self._end
        if self._file is None:
            with tempfile.TemporaryFile() as file:
                self._file = os.dup(file.fileno())
            weakref.finalize(self, os.close, self._file)
        if os.pwrite(self._file, data, place) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), tempfile.gettempdir())
        self._end += len(data)
        return place, len(data)
