"""The presets: optics and conditions, read from the data files beside this module."""

from __future__ import annotations

from pathlib import Path

from topologies.ageing.plant import Optics, Plant, PlantChange
from topologies.files import FileModel, read_model


class Condition(FileModel):
    """A named kind of span."""

    summary: str
    plant: PlantChange


_HERE = Path(__file__).parent
OPTICS = read_model(_HERE / "optics.yaml", dict[str, Optics])
CONDITIONS = read_model(_HERE / "conditions.yaml", dict[str, Condition])


def plant_of(condition: str, route_m: int, age_ns: int) -> Plant:
    """Return the span that a condition describes on a route of ``route_m`` metres."""
    fields = CONDITIONS[condition].plant.model_dump(exclude_none=True)
    return Plant(route_m=route_m, age_ns=age_ns, **fields)
