"""The sentence that answers a misspelt name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from topologies.shown import short


def unknown(kind: str, value: str, allowed: Iterable[str]) -> str:
    """Say that a name is not known, what is allowed, and the nearest match if there is one."""
    names = sorted(allowed)
    near = get_close_matches(value[:64], names, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    return f'unknown {kind} "{short(value)}"; allowed: {", ".join(names)}{hint}'


def names_of(allowed: Iterable[str]) -> Any:
    """Return the type of a text that is one of some names, for a schema."""
    return Annotated[str, Field(json_schema_extra={"enum": [*sorted(allowed)]})]


def one_of(kind: str, allowed: Collection[str]) -> BeforeValidator:
    """Return what lets a model's field hold one of some names, and answers others like that."""

    def check(value: object) -> object:
        if value not in allowed:
            raise ValueError(unknown(kind, str(value), allowed))
        return value

    return BeforeValidator(check, json_schema_input_type=names_of(allowed))
