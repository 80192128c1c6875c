"""What a piece of code does to the machine, by the interpreter's own audit events."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ACTS = (
    *("os.chflags", "os.chmod", "os.chown", "os.exec", "os.fork", "os.forkpty", "os.kill"),
    *("os.link", "os.mkdir", "os.posix_spawn", "os.remove", "os.rename", "os.rmdir", "os.spawn"),
    *("os.startfile", "os.symlink", "os.system", "os.truncate", "os.utime", "pty.spawn"),
    *("os.setxattr", "os.removexattr", "os.putenv", "os.unsetenv"),
    *("socket.bind", "socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"),
    *("subprocess.Popen", "tempfile.mkstemp", "tempfile.mkdtemp", "pickle.find_class"),
    *("ctypes.dlopen", "sqlite3.connect", "urllib.Request"),
)
"""Events that no reader of a file has a reason for."""
_CODE = ("exec", "compile")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_seen: list[str] | None = None
_may_read: tuple[str, ...] = ()


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is None:
        return
    if event in ACTS:
        _seen.append(f"{event} {arguments!r:.200}")
    elif event == "open":
        path, _, flags = arguments
        if isinstance(path, int):
            return
        place = os.path.realpath(os.fsdecode(path))
        if flags & _WRITES:
            _seen.append(f"wrote {place}")
        elif not place.startswith(_may_read):
            _seen.append(f"read {place}")
    elif event in _CODE and _strange(event, arguments):
        _seen.append(f"{event} {arguments!r:.200}")


def _strange(event: str, arguments: tuple[Any, ...]) -> bool:
    """Say whether code is made or run that is not of an installed file or of a library's own."""
    name = arguments[0].co_filename if event == "exec" else str(arguments[1])
    return not (name.startswith("<") or os.path.realpath(name).startswith(_CODE_FROM))


_CODE_FROM = tuple(
    os.path.realpath(it)
    for it in {sys.prefix, sys.base_prefix, os.fspath(Path(__file__).parents[2]), *sys.path}
)


@contextmanager
def watched(*may_read: Path) -> Iterator[list[str]]:
    """Give the list of what is touched meanwhile: written anywhere, or read beside some places.

    Code of installed packages may be read besides: modules are imported when they are needed.
    """
    global _seen, _may_read
    if _hook not in _installed:
        sys.addaudithook(_hook)
        _installed.append(_hook)
    compiled, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    _may_read = (*map(os.path.realpath, map(os.fspath, may_read)), *_CODE_FROM, "/proc/", "/sys/")
    found: list[str] = []
    _seen = found
    try:
        yield found
    finally:
        _seen = None
        sys.dont_write_bytecode = compiled


_installed: list[Any] = []
