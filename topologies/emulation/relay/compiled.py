"""Compiles what must keep up with packets, and gives it the system calls that it needs.

With ``NUMBA_DISABLE_JIT=1`` the same functions run interpreted: slower, and easier to step through.
The C library's functions are found by name when the code is linked, so that it can be cached.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import types

F = TypeVar("F", bound=Callable[..., Any])

# Compiled code is kept beside the installed packages, where root leaves nothing among a user's
# files; by all sources together, since a function is compiled into those that call it.
_SOURCES = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
_KEPT = Path(sys.prefix) / "share" / "spanlab-compiled" / sha256(_SOURCES).hexdigest()[:12]
numba.config.CACHE_DIR = str(_KEPT)  # type: ignore[attr-defined]
INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") != "0"
_libc = ctypes.CDLL(None, use_errno=True)


def compiled(function: F) -> F:
    """Compile a function at its first call, for good: the result is kept on disk.

    It must not make arrays: those it is given are not counted, which saves a fifth of its time.
    """
    compile_it: Any = numba.njit
    return cast(F, compile_it(cache=True, nogil=True, _nrt=False)(function))


def resolved(function: F) -> F:
    """Return the code that a first call has compiled, for later calls with arrays of those types.

    A compiled function chooses its code anew by the types of its arguments at every call from
    outside, which takes 0.3 ms where they are structured.
    """
    if INTERPRETED:
        return function
    (code,) = cast(Any, function).overloads.values()
    return cast(F, code.entry_point)


def _system_call(name: str, *arguments: tuple[Any, Any]) -> Any:
    """Return a C function of ``(numba type, ctypes type)`` arguments that returns a long."""
    if INTERPRETED:
        function = getattr(_libc, name)
        function.restype = ctypes.c_long
        function.argtypes = [argument for _, argument in arguments]
        return function
    return types.ExternalFunction(name, types.intp(*(argument for argument, _ in arguments)))


_INT, _POINTER = (types.int32, ctypes.c_int), (types.intp, ctypes.c_void_p)
_LONG = (types.intp, ctypes.c_long)

read = _system_call("read", _INT, _POINTER, _LONG)
write = _system_call("write", _INT, _POINTER, _LONG)
ppoll = _system_call("ppoll", _POINTER, _LONG, _POINTER, _POINTER)
_clock_gettime = _system_call("clock_gettime", _INT, _POINTER)

CLOCK_MONOTONIC = 1


@compiled
def monotonic_ns(timespec: Any) -> int:
    """Return CLOCK_MONOTONIC; ``timespec`` is an int64[2] to work in."""
    _clock_gettime(CLOCK_MONOTONIC, timespec.ctypes.data)
    now_ns: int = timespec[0] * 1_000_000_000 + timespec[1]
    return now_ns
