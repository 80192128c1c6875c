"""An upgrade: a change of a span's physical description, with its cost and lead time."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from topologies.ageing.plant import Plant, PlantChange
from topologies.errors import PhysicsError
from topologies.files import FileModel
from topologies.units import Duration


def _read_usd(value: object) -> object:
    if value == "unknown":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1e12:
        return float(value)
    raise ValueError('is not a price: write US dollars as a number, or "unknown"')


Usd = Annotated[
    float | None,
    BeforeValidator(_read_usd),
    PlainSerializer(lambda value: "unknown" if value is None else value),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"const": "unknown"}]}),
]


class Cost(FileModel):
    """What an upgrade costs: the sum of its parts, unknown where one of them is."""

    once: Usd = Field(default=0.0, description="US dollars")
    per_km: Usd = Field(default=0.0, description="of the route after the upgrade")
    per_month: Usd = Field(default=0.0, description="while it is in service")
    source: str = Field(default="", description="where the price is from")

    def of(self, route_m: int, months: float) -> float | None:
        """Return US dollars over ``months`` for a route, or None where it is not known."""
        if self.once is None or self.per_km is None or self.per_month is None:
            return None
        return self.once + self.per_km * route_m / 1000 + self.per_month * months


UNKNOWN_COST = Cost.model_validate({"once": "unknown"})


class More(FileModel):
    """What an upgrade adds to what is there."""

    waves: int = Field(default=0, ge=0, le=100, description="wavelengths or bundled links")
    noise_figure_db: float = Field(
        default=0.0, ge=-20, le=0, strict=False, description="of the amplifiers; below 0 is less"
    )


class Upgrade(FileModel):
    """A named change of a span. In code, ``lead_time`` is in ns."""

    summary: str = Field(description="a line on it, for people")
    sets: PlantChange = Field(default=PlantChange(), description="what it replaces")
    adds: More = Field(default=More(), description="what it adds to what is there")
    needs: tuple[Literal["error-correction", "coherent", "fibre", "regenerators"], ...] = Field(
        (), strict=False, description="what the span must have for it to fit"
    )
    cost: Cost = Field(default=UNKNOWN_COST, description="unknown unless stated")
    lead_time: Duration = Field(
        default=0, description="from order to service; 0 where it is not known"
    )
    drains: bool = Field(default=True, description="whether traffic must leave the span meanwhile")
    live: bool = Field(
        default=True,
        description="whether training that runs feels it; a packet size is agreed when "
        "connections open",
    )

    @model_validator(mode="after")
    def _does_something(self) -> Upgrade:
        if not self.sets.stated() and self.adds == More():
            raise ValueError("changes nothing: say what it sets or adds")
        return self


_MISSING: dict[str, tuple[Any, str]] = {
    "error-correction": (
        lambda plant: plant.code.threshold is not None,
        "runs without error-correction hardware; enable-fec comes first, and is a card swap",
    ),
    "coherent": (
        lambda plant: plant.optics.kind == "coherent",
        "has no coherent optics, which alone follow the line's noise",
    ),
    "regenerators": (
        lambda plant: plant.oeo_sites > 0,
        "has no regenerators to remove",
    ),
    "fibre": (
        lambda plant: plant.optics.kind != "radio",
        "is a radio link and has no fibre",
    ),
}


def refuse_misfit(name: str, upgrade: Upgrade, plant: Plant) -> None:
    """Raise PhysicsError where a plant lacks what an upgrade builds on."""
    if plant.optics is None and upgrade.sets.optics is None:
        raise PhysicsError(f"{name}: the span states no condition, so nothing is known to change")
    for need in upgrade.needs:
        met, what = _MISSING[need]
        if plant.optics is None or not met(plant):
            raise PhysicsError(f"{name}: the span {what}")
