"""Quantities: text in files ("10 Gbit/s"), integers in base units in code.

The only converter of the project. Base units: bit/s, ns, m, B. A text that cannot be held
by an integer of the base unit is refused, never rounded.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from topologies.errors import UnitError

_DAY_NS = 86_400 * 10**9

UNITS: dict[str, dict[str, int]] = {
    "rate": {
        "bit/s": 1,
        "kbit/s": 10**3,
        "Mbit/s": 10**6,
        "Gbit/s": 10**9,
        "Tbit/s": 10**12,
    },
    "duration": {
        "ns": 1,
        "us": 10**3,
        "ms": 10**6,
        "s": 10**9,
        "min": 60 * 10**9,
        "h": 3600 * 10**9,
        "days": _DAY_NS,
        "years": _DAY_NS * 1461 // 4,  # Julian year of 365.25 days
    },
    "length": {"m": 1, "km": 10**3},
    "size": {
        "B": 1,
        "kB": 10**3,
        "MB": 10**6,
        "GB": 10**9,
        "TB": 10**12,
        "KiB": 2**10,
        "MiB": 2**20,
        "GiB": 2**30,
    },
}
_EXAMPLES = {"rate": "10 Gbit/s", "duration": "250 us", "length": "24 km", "size": "2 GB"}
_ALIASES = {"µs": "us", "year": "years", "day": "days"}
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-zµ/]+)\s*")
_SCALE = re.compile(r"\s*[0-9]+(?:/[0-9]+|(?:\.[0-9]*)?(?:[eE][-+]?[0-9]{1,2})?)\s*", re.ASCII)
"""Not every number that Python reads: a long exponent alone would keep it busy for hours."""

YEAR_NS = UNITS["duration"]["years"]


def parse(text: object, dimension: str) -> int:
    """Convert a quantity such as ``"10 Gbit/s"`` to an integer of the dimension's base unit.

    Raises UnitError when the unit is missing or unknown, or the value is negative, too large
    (64 bit), or not a whole number of base units.
    """
    units = UNITS[dimension]
    if not isinstance(text, str) or len(text) > 64 or not (match := _QUANTITY.fullmatch(text)):
        raise UnitError(
            f"is not a {dimension}: write a number of 0 or more and a unit, "
            f'such as "{_EXAMPLES[dimension]}"'
        )
    unit = _ALIASES.get(match[2], match[2])
    if unit not in units:
        raise UnitError(f'has no {dimension} unit "{match[2]}"; allowed: {", ".join(units)}')
    value = Fraction(match[1]) * units[unit]
    if value.denominator != 1:
        raise UnitError(f"is not a whole number of {next(iter(units))}; the smallest step is 1")
    if value >= 2**63:
        raise UnitError("is too large")
    return int(value)


def render(value: float, dimension: str) -> str:
    """Return the shortest readable text of a base-unit value, such as ``"400 Mbit/s"``."""
    chosen, factor = next(iter(UNITS[dimension].items()))
    for unit, size in UNITS[dimension].items():
        if not unit.endswith("iB") and abs(value) >= size > factor:
            chosen, factor = unit, size
    return f"{value / factor:.4g} {chosen}"


def exact(value: int, dimension: str) -> str:
    """Return the text that `parse` turns back into exactly this value."""
    sizes = sorted(UNITS[dimension].items(), key=lambda item: -item[1])
    unit, size = next(
        pair for pair in sizes if (value % pair[1] == 0 and value >= pair[1]) or pair[1] == 1
    )
    return f"{value // size} {unit}"


def parse_scale(text: object) -> Fraction:
    """Convert ``"1/1000"``, ``4`` or ``"0.5"`` to an exact positive factor."""
    if isinstance(text, bool) or len(str(text)) > 32 or not _SCALE.fullmatch(str(text)):
        raise UnitError('is not a scale: write "1/1000" or a number')
    try:
        value = Fraction(str(text))
    except ZeroDivisionError:
        raise UnitError('is not a scale: write "1/1000" or a number') from None
    if not Fraction(1, 10**9) <= value <= 10**9:
        raise UnitError("must lie between 1/1000000000 and 1000000000")
    return value


def _read(dimension: str) -> BeforeValidator:
    return BeforeValidator(lambda value: parse(value, dimension))


def _show(dimension: str) -> PlainSerializer:
    return PlainSerializer(lambda value: exact(value, dimension))


def _schema(dimension: str) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "type": "string",
            "dimension": dimension,
            "description": f"a number and one of {', '.join(UNITS[dimension])}",
            "examples": [_EXAMPLES[dimension]],
        }
    )


Rate = Annotated[int, _read("rate"), _show("rate"), _schema("rate")]
Duration = Annotated[int, _read("duration"), _show("duration"), _schema("duration")]
Length = Annotated[int, _read("length"), _show("length"), _schema("length")]
Size = Annotated[int, _read("size"), _show("size"), _schema("size")]
