"""The upgrade catalogue, read from the data file beside this module."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from topologies.ageing.plant import Plant, PlantChange
from topologies.errors import PhysicsError
from topologies.files import FileModel, read_model


class Upgrade(FileModel):
    """A named change of a span."""

    summary: str
    changes: PlantChange


UPGRADES = read_model(Path(__file__).parent / "catalogue.yaml", dict[str, Upgrade])


def upgraded(plant: Plant, upgrade: str) -> Plant:
    """Return the plant after an upgrade of the catalogue; upgrades compose.

    Raises PhysicsError for one that the plant has no place for.
    """
    changes = UPGRADES[upgrade].changes.model_dump(exclude_none=True)
    optics = changes.get("optics", plant.optics)
    if changes.get("hard_fec") and not optics.endswith("-ook"):
        raise PhysicsError(f"{upgrade}: {optics or 'this span'} has no G.709 encoder to switch on")
    if not optics:
        raise PhysicsError(
            f"{upgrade}: the span states no condition, so nothing is known to change"
        )
    return replace(plant, **changes)
