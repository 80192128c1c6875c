"""The sentence that answers a misspelt name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def unknown(kind: str, value: str, allowed: Iterable[str]) -> str:
    """Say that a name is not known, what is allowed, and the nearest match if there is one."""
    names = sorted(allowed)
    near = get_close_matches(value, names, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    return f'unknown {kind} "{value}"; allowed: {", ".join(names)}{hint}'
