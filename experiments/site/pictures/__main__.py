"""Draw the pictures anew: ``python -m experiments.site.pictures``."""

from __future__ import annotations

from pathlib import Path

from experiments.site.pictures.coherence import coherence
from experiments.site.pictures.course import course
from experiments.site.pictures.life import life
from experiments.site.pictures.structure import structure
from experiments.site.pictures.twin import twin

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "docs" / "pictures"


def pictures() -> dict[str, str]:
    """Return every picture by its file's name."""
    return {
        "coherence.svg": coherence(),
        "life.svg": life(ROOT / "experiments" / "scenarios" / "three-campuses.yaml"),
        "twin.svg": twin(),
        "course.svg": course(),
        "structure.svg": structure(),
    }


if __name__ == "__main__":
    for name, svg in pictures().items():
        (FOLDER / name).write_text(svg)
