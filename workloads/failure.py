"""What a failed collective says, without what torch says around it."""

from __future__ import annotations

import re

MAX_LENGTH = 500
_GLOO = re.compile(r"/gloo/[^\]]+\] (?P<said>[^\n]+?)(?:\. |\.?$|\n| to Tensor)", re.MULTILINE)


def reason(error: BaseException) -> str:
    """Return what gloo (torch 2.13) says in an error, or its first line."""
    text = str(error)
    found = _GLOO.search(text)
    said = found["said"] if found else next(iter(text.splitlines()), "") or type(error).__name__
    return said[:MAX_LENGTH]
