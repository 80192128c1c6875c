"""What must hold of every input: accepted, or refused where it is wrong; soon; nothing touched."""

from __future__ import annotations

import contextlib
import io
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from benchmarks.fuzz.watched import watched
from experiments.carrying import KEPT
from topologies.errors import NetworkError

LIMIT_S = 1.0
LONGEST = 20_000
"""Characters of a message: somebody has to read it."""


class Fault(AssertionError):
    """An input that was not treated as it must be; the text says how."""


@dataclass(frozen=True)
class Verdict:
    """Attributes:
    refused: the message, or None of an input that was accepted.
    took_s: until it was said.
    """

    refused: str | None
    took_s: float


def judge(file: Path, treat: Callable[[Path], object], limit_s: float = LIMIT_S) -> Verdict:
    """Have a file treated as a command does, and return what came of it; raises Fault.

    Time is the process's own, and one that took long is treated once more: what the processor did
    meanwhile, or the collection of garbage, makes no fault.
    """
    verdict = _treated(file, treat, limit_s)
    if verdict.took_s > limit_s:
        verdict = _treated(file, treat, limit_s)
    if verdict.took_s > limit_s:
        raise Fault(f"took {verdict.took_s:.2f} s")
    return verdict


def _treated(file: Path, treat: Callable[[Path], object], limit_s: float) -> Verdict:
    said = io.StringIO()
    refused = None
    before_s = time.process_time()
    with watched(file.parent, KEPT) as touched, contextlib.redirect_stdout(said):
        try:
            with ended_after(3 * limit_s):
                treat(file)
        except NetworkError as error:
            refused = str(error)
        except (Exception, Overlong):
            raise Fault(traceback.format_exc()) from None
    took_s = time.process_time() - before_s
    if touched:
        raise Fault(f"touched the machine: {'; '.join(touched[:5])}")
    for text in (refused or "", said.getvalue()):
        if wrong := [it for it in text if not it.isprintable() and it != "\n"]:
            raise Fault(f"said {wrong[0]!r}, on which a terminal acts: {text[:500]!r}")
    if refused is not None:
        _check_located(refused, str(file.parent))
    return Verdict(refused, took_s)


class Overlong(BaseException):
    """Raised where the code is that takes too long."""


@contextlib.contextmanager
def ended_after(limit_s: float) -> Iterator[None]:
    """Raise where the code is after so many seconds of the processor."""

    def over(number: int, frame: FrameType | None) -> None:
        raise Overlong

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _check_located(message: str, folder: str) -> None:
    if len(message) > LONGEST:
        raise Fault(f"a message of {len(message)} characters: {message[:500]}")
    for line in message.splitlines():
        where, _, what = line.partition(": ")
        if not where.startswith(folder) or not what.strip():
            raise Fault(f"a message without a place: {message[:1000]}")
