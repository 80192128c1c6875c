"""What a container must see of this machine to run this Python with these packages. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mount:
    """A path of this machine that a container sees at ``target``."""

    source: Path
    target: Path
    writable: bool = False

    def __str__(self) -> str:
        """Write it as ``docker create --mount`` takes it: one line of comma-separated values."""
        fields = ["type=bind", f"source={self.source}", f"target={self.target}"]
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(
            fields if self.writable else [*fields, "readonly"]
        )
        return line.getvalue()


def python_mounts(
    *,
    executable: Path,
    base_prefix: Path,
    prefix: Path,
    stdlib: Path,
    path: Iterable[Path],
    root: Path,
    packages: Iterable[str],
) -> list[Mount]:
    """Return read-only mounts, each at its own place, that make an interpreter run as it does here.

    ``executable`` is the interpreter itself, past all links; the others are those of `sys` and
    `sysconfig`. A distribution's interpreter brings its own two files only, since the image is of
    the same distribution; any other comes whole. Of the project (``root``, on the path) only
    ``packages`` are there.
    """
    wanted = [executable, stdlib] if base_prefix in (Path("/usr"), Path("/")) else [base_prefix]
    wanted.append(prefix)
    for entry in path:
        if entry == root:
            wanted += [root / package for package in packages]
        elif entry.is_dir():
            wanted.append(entry)
    return [Mount(place, place) for place in _outermost(wanted)]


def _outermost(places: Iterable[Path]) -> list[Path]:
    """Leave out what lies inside another."""
    found: list[Path] = []
    for place in sorted(set(places), key=lambda place: len(place.parts)):
        if not any(place.is_relative_to(outer) for outer in found):
            found.append(place)
    return sorted(found)
