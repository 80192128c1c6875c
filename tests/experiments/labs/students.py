"""Students: one whose runs show what each lab asks for, and many who each got one thing wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from experiments.labs.catalogue import LABS
from tests.fakes.labruns import Phases, leave, part_of


def phases(reference_ms: float, count: int = 8, **named: float) -> dict[str, list[float]]:
    """Return steps of one length for each phase; ``aged`` and others by name."""
    lengths = {"reference": [reference_ms] * count}
    return lengths | {name.replace("_", " "): [ms] * 12 for name, ms in named.items()}


@dataclass(frozen=True)
class Made:
    """A run to be left: how long its steps are, and what else is known of it.

    ``edits`` are made besides those of its ``part``, which is that of its name if not stated.
    """

    phases: Phases
    more: Mapping[str, Any] = field(default_factory=dict)
    edits: Mapping[str, Any] = field(default_factory=dict)
    part: str = ""

    def with_(self, **more: Any) -> Made:
        return replace(self, more={**self.more, **more})


Runs = dict[str, Made]


@dataclass(frozen=True)
class Student:
    """What somebody hands in for a lab."""

    runs: Runs
    answers: Mapping[str, float]

    def without(self, part: str) -> Student:
        return replace(self, runs={name: it for name, it in self.runs.items() if name != part})

    def but(self, part: str, run: Made) -> Student:
        return replace(self, runs={**self.runs, part: run})

    def and_(self, name: str, part: str, run: Made) -> Student:
        """Return this student with one more run of a part, called ``name``."""
        return replace(self, runs={**self.runs, name: replace(run, part=part)})

    def saying(self, **numbers: float) -> Student:
        return replace(self, answers={**self.answers, **numbers})

    def hand_in(self, folder: Path, number: int, store: Path) -> None:
        """Put runs and answers where somebody worked; runs are made once, in ``store``."""
        name = LABS[number].name
        (folder / name).mkdir(parents=True)
        (folder / "runs").mkdir()
        for part, made in self.runs.items():
            (folder / "runs" / f"{name}-{part}").symlink_to(
                _left(store, number, made.part or part, made)
            )
        text = yaml.safe_dump(dict(self.answers)) if self.answers else "{}\n"
        (folder / name / "answers.yaml").write_text(text)


def _left(store: Path, number: int, part: str, made: Made) -> Path:
    """Return the folder of a run, which is left at the first call."""
    folder = store / f"{number}-{part}-{sha256(repr(made).encode()).hexdigest()[:12]}"
    if not folder.exists():
        data = part_of(LABS[number], part)
        for path, value in made.edits.items():
            *above, last = path.split(".")
            place: Any = data
            for key in above:
                place = place[key]
            place[last] = value
        leave(folder, data, made.phases, **made.more)
    return folder


def _sent(reference_ms: float, aged_ms: float, each_way_mb: float) -> Made:
    return Made(phases(reference_ms, aged=aged_ms), {"each_way_mb": each_way_mb})


BOUGHT = [
    {"at": "step 24", "upgrade": "south-east", "with": "coherent-100g"},
    {"at": "step 36", "upgrade": "north-south", "with": "coherent-100g"},
]

GOOD: dict[int, Student] = {
    1: Student(
        {
            "base": Made(phases(190, aged=1450)),
            "faster": Made(phases(190, aged=1150)),
            "shorter": Made(phases(190, aged=700)),
            "both": Made(phases(190, aged=300)),
        },
        {
            "base_step_ms": 1600,
            "faster_step_ms": 1200,
            "shorter_step_ms": 650,
            "both_step_ms": 310,
        },
    ),
    2: Student(
        {
            "base": Made(phases(210, aged=520)),
            "lossy": Made(phases(210, aged=1700)),
            "bbr": Made(phases(210, aged=550)),
        },
        {"base_step_ms": 480, "lossy_step_ms": 1500, "bbr_step_ms": 480},
    ),
    3: Student(
        {
            "base": _sent(150, 470, 303),
            "hierarchical": _sent(160, 330, 202),
            "ring-3": _sent(150, 620, 337),
            "hierarchical-3": _sent(165, 335, 203),
        },
        {
            "ring_mb": 300,
            "hierarchical_mb": 200,
            "ring_3_mb": 333,
            "hierarchical_3_mb": 200,
        },
    ),
    4: Student(
        {
            "policies": Made(phases(160, aged=400, routing_by_widest_path=210)),
            "cut": Made(
                {
                    "reference": [160] * 8,
                    "aged": [400] * 10,
                    "failed": [400] * 4 + [520] + [400] * 9,
                }
            ),
            "silent": Made(
                {"reference": [160] * 8, "aged": [400] * 10, "failed": [4300] + [400] * 9}
            ),
        },
        {"widest_step_ms": 190, "silent_step_ms": 4400},
    ),
    5: Student(
        {
            "upgrade": Made(phases(85, 24, aged=285, upgraded=86), {"losses": (2.5, 2.0, 0.9)}),
            "local": Made(
                {"reference": [85] * 24, "aged": ([85] * 9 + [160]) * 6},
                {"losses": (2.5, 1.7)},
                {"workload.strategy.every": 10},
            ),
        },
        {"aged_coherence": 0.27, "local_coherence": 0.9},
    ),
    6: Student(
        {
            "worst": Made(phases(110, aged=500, upgraded=190)),
            "mine": Made(phases(110, aged=500, one=190, two=112), edits={"timeline": BOUGHT}),
        },
        {"worst_coherence": 0.57, "my_coherence": 0.97, "my_cost_usd": 360000},
    ),
}
"""By lab, runs that show all it asks for; in each, the order is that of their start."""


def _of(number: int, part: str, **changes: Any) -> Student:
    """Return the good student of a lab with one run made otherwise."""
    good = GOOD[number]
    return good.but(part, replace(good.runs[part], **changes))


WRONG: list[tuple[int, str, Student]] = [
    (1, "far away, less delay helps", _of(1, "faster", phases=phases(190, aged=720))),
    (1, "the same rate is worth more", _of(1, "both", phases=phases(190, aged=600))),
    (2, "one frame lost in a thousand", _of(2, "lossy", phases=phases(210, aged=560))),
    (2, "BBR hardly notices", _of(2, "bbr", phases=phases(210, aged=800))),
    (3, "hierarchical sends less", _of(3, "base", more={"each_way_mb": 205})),
    (3, "what hierarchical sends", _of(3, "hierarchical-3", more={"each_way_mb": 260})),
    (3, "hierarchical is faster", _of(3, "hierarchical-3", phases=phases(165, aged=600))),
    (4, "the longer, faster way", _of(4, "policies", phases=phases(160, aged=400, other=390))),
    (4, "training goes on", GOOD[4].but("cut", GOOD[4].runs["silent"])),
    (4, "training stands still", GOOD[4].but("silent", GOOD[4].runs["cut"])),
    (5, "a new line takes ddp", _of(5, "upgrade", phases=phases(85, 24, aged=285, better=120))),
    (
        5,
        "local updates reach",
        _of(
            5,
            "local",
            edits={"workload.strategy.every": 2},
            phases={"reference": [85] * 24, "aged": [85, 245] * 20},
        ),
    ),
    (5, "after as many steps", _of(5, "local", more={"losses": (2.5, 0.8)})),
    (6, "all the money spent", _of(6, "worst", phases=phases(110, aged=500, upgraded=111))),
    (
        6,
        "your upgrades cost",
        _of(6, "mine", edits={"timeline": [BOUGHT[0], {**BOUGHT[1], "with": "coherent-400g"}]}),
    ),
    (6, "they bring coherence", _of(6, "mine", phases=phases(110, aged=500, one=190, two=128))),
]
"""By lab, how a criterion begins and what somebody handed in who does not meet it."""
