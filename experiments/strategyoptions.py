"""A strategy's options: text in the scenario, base units in code, and their emulated size. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from topologies.errors import NetworkError
from topologies.units import exact, parse
from workloads import strategies
from workloads.option import Option, Value
from workloads.sizes import FLOAT_BYTES


def read(name: str, stated: Mapping[str, Any]) -> dict[str, Value]:
    """Return every option of a strategy, as stated with its unit, or by default.

    Raises ValueError, beginning with the option's name, for one that is unknown or wrong.
    """
    units = {key: option.unit for key, option in strategies.declaration(name).options.items()}
    values = dict(stated)
    for key, value in stated.items():
        if unit := units.get(key):
            try:
                values[key] = parse(value, unit)
            except ValueError as error:
                raise ValueError(f"{key}: {str(value)[:64]!r} {error}") from None
    return strategies.settled(name, values)


def emulated(name: str, options: Mapping[str, Value], bytes_scale: Fraction) -> dict[str, Value]:
    """Return options as the twin takes them: sizes at the scale of bytes, in whole floats."""
    units = {key: option.unit for key, option in strategies.declaration(name).options.items()}
    return {
        key: int(value * bytes_scale) // FLOAT_BYTES * FLOAT_BYTES if units[key] else value
        for key, value in options.items()
    }


def check_emulated(
    where: str,
    name: str,
    sites: list[str],
    gradient_bytes: int,
    bucket_bytes: int,
    options: Mapping[str, Value],
) -> None:
    """Raise NetworkError, located, where emulated quantities are too small for a strategy."""
    if reason := strategies.too_small(name, sites, gradient_bytes, bucket_bytes, options):
        raise NetworkError(f"{where}: {name} cannot run when emulated: {reason}")


def sizes(
    name: str, options: Mapping[str, Value], bytes_scale: Fraction
) -> list[tuple[str, int, int, str]]:
    """Return name, real and emulated value and dimension of each option that scales."""
    units = {key: option.unit for key, option in strategies.declaration(name).options.items()}
    twice = emulated(name, options, bytes_scale)
    return [
        (f"{key} of {name}", int(options[key]), int(twice[key]), unit)
        for key, unit in units.items()
        if unit
    ]


def default(option: Option) -> Value | str:
    """Return an option's default as a scenario states it."""
    return exact(int(option.default), option.unit) if option.unit else option.default
