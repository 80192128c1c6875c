"""A disk that remembers what was done to a folder, and shows what a crash would have left of it.

`Journal` writes down every change of a folder as it is made, for real, by calls of the kernel that
Python makes; what others change (DuckDB) it finds by looking. `crashes` then goes through all
prefixes of what was done. A kill leaves all of a prefix. A power cut leaves what was made to reach
the disk (fsync of a file, or of the folder that holds a name) and of the rest what it pleases.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

POWER_CUTS = ("nothing more", "names without data", "torn data", "zeroed data")
"""What else reached the disk than what was made to."""
CRASHES = ("killed", *POWER_CUTS)

Contents = dict[str, bytes | None]
"""By path in the folder: what a file holds, or None for a folder."""


@dataclass
class _Disk:
    """Names and contents as every process sees them, and as they are on the disk."""

    names: dict[str, int] = field(default_factory=dict)
    kept_names: dict[str, int] = field(default_factory=dict)
    data: dict[int, bytes | None] = field(default_factory=dict)
    kept_data: dict[int, bytes] = field(default_factory=dict)

    def settle_names(self, folder: str) -> None:
        for names in (self.kept_names, self.names):
            inside = [it for it in names if os.path.dirname(it) == folder]  # noqa: PTH120
            for path in inside:
                if names is self.kept_names:
                    del self.kept_names[path]
                else:
                    self.kept_names[path] = self.names[path]

    def after(self, crash: str) -> Contents:
        found: Contents = {}
        names = self.kept_names if crash == POWER_CUTS[0] else self.names
        for path, file in sorted(names.items()):
            above = os.path.dirname(path)  # noqa: PTH120
            if above and above not in found:
                continue  # its folder was lost
            data = self.data[file]
            if data is not None and crash != "killed":
                kept = self.kept_data.get(file, b"")
                more = data[len(kept) :] if data.startswith(kept) else data
                kept = kept if data.startswith(kept) else b""
                if crash == "torn data":
                    kept += more[: (len(more) + 1) // 2]
                elif crash == "zeroed data":
                    kept += bytes(len(more))
                data = kept
            found[path] = data
        return found


class Journal:
    """What was done to a folder, in order; see `recording`.

    Attributes:
        before: steps by which what there was came about, on the disk before anything else.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.steps: list[Callable[[_Disk], None]] = []
        self._known: dict[str, tuple[int, tuple[int, ...]]] = {}
        self._files = 0
        self.look()
        for path in [self.root, *self.root.rglob("*")]:
            self.settled(path)
        self.before = len(self.steps)

    def crashes(self) -> Iterator[tuple[int, str, Contents]]:
        """Yield what each crash leaves after each step, as often as that differs."""
        disk, seen = _Disk(), set[int]()
        for number, step in enumerate(self.steps):
            step(disk)
            for crash in CRASHES if number >= self.before - 1 else ():
                left = disk.after(crash)
                if (key := hash(tuple(left.items()))) not in seen:
                    seen.add(key)
                    yield number, crash, left

    def ends(self) -> dict[str, Contents]:
        """Return what each crash leaves after the last step."""
        disk = _Disk()
        for step in self.steps:
            step(disk)
        return {crash: disk.after(crash) for crash in CRASHES}

    def look(self) -> None:
        """Write down what has changed since somebody looked."""
        there = {str(it.relative_to(self.root)): it for it in sorted(self.root.rglob("*"))}
        for name in [name for name in self._known if name not in there]:
            self._step(_unnamed, name)
            del self._known[name]
        for name, path in there.items():
            stat = path.stat()
            signature = (stat.st_ino, stat.st_size, stat.st_mtime_ns) if path.is_file() else ()
            file, before = self._known.get(name, (-1, (-1,)))
            if signature == before:
                continue
            if file < 0:
                self._files = file = self._files + 1
                self._step(_named, name, file, b"" if signature else None)
            self._known[name] = file, signature
            if signature:
                self._step(_holds, file, path.read_bytes())

    def moved(self, source: Path, target: Path) -> None:
        old, new = self._name(source), self._name(target)
        if old is not None and new is not None and old in self._known:
            for name in [it for it in self._known if it == old or it.startswith(f"{old}/")]:
                self._known[new + name[len(old) :]] = self._known.pop(name)
            self._step(_moved, old, new)
        self.look()

    def settled(self, path: Path) -> None:
        name = self._name(path)
        if name is None:
            return
        if path.is_dir():
            self._step(_settled_names, name)
        elif name in self._known:
            self._step(_settled, self._known[name][0])

    def _name(self, path: Path) -> str | None:
        path = path.parent.resolve() / path.name
        if path == self.root:
            return ""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else None

    def _step(self, what: Callable[..., None], *arguments: Any) -> None:
        self.steps.append(lambda disk: what(disk, *arguments))


def _named(disk: _Disk, name: str, file: int, data: bytes | None) -> None:
    disk.names[name], disk.data[file] = file, data


def _unnamed(disk: _Disk, name: str) -> None:
    del disk.names[name]


def _holds(disk: _Disk, file: int, data: bytes) -> None:
    disk.data[file] = data


def _moved(disk: _Disk, old: str, new: str) -> None:
    for name in [it for it in disk.names if it == old or it.startswith(f"{old}/")]:
        disk.names[new + name[len(old) :]] = disk.names.pop(name)


def _settled(disk: _Disk, file: int) -> None:
    data = disk.data[file]
    assert data is not None, "a file"
    disk.kept_data[file] = data


def _settled_names(disk: _Disk, name: str) -> None:
    disk.settle_names(name)


@contextmanager
def recording(root: Path) -> Iterator[Journal]:
    """Write down what is done to a folder meanwhile; what is there already is on the disk."""
    journal = Journal(root)
    real = {name: getattr(os, name) for name in ("rename", "replace", "fsync", "write", "open")}

    def moving(name: str) -> Callable[..., None]:
        def move(source: Any, target: Any, **options: Any) -> None:
            journal.look()
            real[name](source, target, **options)
            journal.moved(Path(source), Path(target))

        return move

    def fsync(descriptor: int) -> None:
        journal.look()
        real["fsync"](descriptor)
        journal.settled(Path(f"/proc/self/fd/{descriptor}").readlink())

    def looking(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            done = real[name](*arguments, **options)
            journal.look()
            return done

        return call

    with mock.patch.multiple(
        os,
        rename=moving("rename"),
        replace=moving("replace"),
        fsync=fsync,
        write=looking("write"),
        open=looking("open"),
    ):
        yield journal
    journal.look()


def lay_out(contents: Contents, folder: Path) -> None:
    """Make a folder hold this and nothing else."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for name, data in contents.items():
        if data is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(data)


class Failing:
    """Lets the n-th of the calls that change a disk fail, and counts them; see `failing_at`."""

    def __init__(self, at: int, error: BaseException) -> None:
        self.at, self.error, self.calls = at, error, 0

    def call(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            flags = arguments[1] if real.__name__ == "open" else 0
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                return real(*arguments, **options)  # it has no name: no reader ever sees it
            self.calls += 1
            if self.calls == self.at:
                raise self.error
            return real(*arguments, **options)

        return counted


@contextmanager
def failing_at(at: int, error: BaseException) -> Iterator[Failing]:
    """Raise an error in place of the n-th call of the kernel that would change a disk."""
    failing = Failing(at, error)
    names = ("rename", "replace", "fsync", "write", "open", "mkdir")
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(mock.patch.object(os, name, failing.call(getattr(os, name))))
        yield failing
