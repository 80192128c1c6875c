"""How a run ends badly, and the exit code that says so."""

from __future__ import annotations

DONE, FAILED, BAD_INPUT, MACHINE_LACKS, NOT_FAITHFUL = 0, 1, 2, 3, 4


class RunFailed(RuntimeError):
    """A run that stopped before its end; the text names the component and the reason."""


class RanksLost(RunFailed):
    """Ranks that failed in the middle of a job; the text names the one that failed first."""


class Interrupted(BaseException):
    """A run that was told to stop (Ctrl-C or SIGTERM)."""
