"""The numbers that a student predicted, in a file of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from topologies.files import FileError, read_yaml
from topologies.suggest import unknown

NAME = "answers.yaml"


@dataclass(frozen=True)
class Answers:
    """What stands in the file; ``numbers`` holds no key that was left empty."""

    path: Path
    numbers: Mapping[str, float]


def read_answers(path: Path, keys: Collection[str], *, needed: bool) -> Answers:
    """Read a student's file of numbers by key.

    A file that is not there answers nothing, unless it is ``needed``. Raises FileError for one that
    cannot be read, an unknown key, or what is no number above 0.
    """
    if not needed and not path.exists():
        return Answers(path, {})
    data = read_yaml(path)
    if not isinstance(data, Mapping):
        raise FileError(f"{path}: must hold keys and numbers, such as {next(iter(keys))}: 12.5")
    numbers = {}
    for key, value in data.items():
        if key not in keys:
            raise FileError(f"{path}: {unknown('key', str(key), keys)}")
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise FileError(f"{path}: {key}: {str(value)[:64]!r} is not a number: leave units out")
        if not isfinite(value) or value <= 0:
            raise FileError(f"{path}: {key}: {value} must be a number above 0")
        numbers[key] = float(value)
    return Answers(path, numbers)
