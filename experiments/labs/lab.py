"""What a lab is made of: the runs it asks for, what they must show, the numbers to predict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from experiments.finished import FinishedRun
from topologies.files import read_yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "experiments" / "scenarios" / "labs"
PAGES = ROOT / "docs" / "labs"

Runs = Mapping[str, FinishedRun]
"""The runs of a lab by the name of the part that each plays."""
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Choice:
    """What a student chooses in a run.

    Attributes:
        path: into the scenario; all below it is free.
        says: what there is to choose.
        made: of the keys below that path, whether anything was chosen at all.
    """

    path: str
    says: str
    made: Callable[[Sequence[str]], bool] = bool


@dataclass(frozen=True)
class Part:
    """A run that a lab asks for: a file that it ships, as it is or with a few lines changed.

    Attributes:
        name: of the student's file, without ``.yaml``.
        of: the same of the file that the lab ships.
        edits: by path into the scenario, what the student writes there.
    """

    name: str
    of: str
    edits: Mapping[str, Any] = field(default_factory=lambda: _NONE)
    choice: Choice | None = None

    def scenario(self, folder: Path) -> dict[str, Any]:
        """Return the edited file's data; ``folder`` holds the files that the lab ships."""
        data: dict[str, Any] = read_yaml(folder / f"{self.of}.yaml")
        for path, value in self.edits.items():
            *above, last = path.split(".")
            place: Any = data
            for key in above:
                place = place[int(key) if isinstance(place, list) else key]
            place[last] = value
        return data


@dataclass(frozen=True)
class Effect:
    """What runs must show together.

    Attributes:
        says: the criterion.
        parts: the runs that it is about.
        shown: of those runs, whether they show it, and the figures that say so.
        advice: what to do where they do not.
    """

    says: str
    parts: tuple[str, ...]
    shown: Callable[[Runs], tuple[bool, str]]
    advice: str


@dataclass(frozen=True)
class Question:
    """A number to predict by hand, and what it is compared with.

    Attributes:
        key: in answers.yaml.
        about: what is asked.
        unit: of the number; none for a ratio.
        parts: the runs that it is about.
        measured: that number, as those runs have it.
        tolerance: how far apart both may be, as a share of the smaller one.
    """

    key: str
    about: str
    unit: str
    parts: tuple[str, ...]
    measured: Callable[[Runs], float]
    tolerance: float


@dataclass(frozen=True)
class Lab:
    """One lab.

    Attributes:
        slug: names its files, and its page.
        minutes: for a student, runs included.
    """

    number: int
    slug: str
    title: str
    minutes: int
    parts: tuple[Part, ...]
    effects: tuple[Effect, ...]
    questions: tuple[Question, ...]

    @property
    def name(self) -> str:
        """Return how the names of its scenarios begin, and what the student's folder is called."""
        return f"lab-{self.number}"

    @property
    def files(self) -> Path:
        """Return the folder of the files that it ships."""
        return FILES / f"{self.number}-{self.slug}"

    @property
    def page(self) -> Path:
        """Return its page."""
        return PAGES / f"{self.number}-{self.slug}.md"
