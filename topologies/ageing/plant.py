"""The physical description of a span: what ageing degrades and upgrades replace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from topologies.files import FileModel
from topologies.units import Duration, Rate

METRO_CUTS = 8.1
"""Cable cuts per 1,000 km and year in metropolitan areas; long-haul 1.9. Grade S, contested."""


class Optics(FileModel):
    """A pair of transceivers; dB fields as named, ``rate`` in bit/s, ``fec_delay`` in ns."""

    kind: Literal["ook", "coherent"]
    rate: Rate
    budget_db: float = Field(0.0, strict=False)
    penalty_db: float = Field(0.0, strict=False)
    osnr_required_db: float = Field(0.0, strict=False)
    fec_delay: Duration = 0


class PlantChange(FileModel):
    """The fields of a plant that a condition sets or an upgrade replaces; unset ones stay."""

    optics: str | None = None
    hard_fec: bool | None = None
    dcf: bool | None = None
    oeo_sites: int | None = Field(None, ge=0)
    dirt_db: float | None = Field(None, ge=0, strict=False)
    hollow_core: bool | None = None
    new_fibre: bool | None = Field(None, description="unrepaired and as attenuating as on day one")


@dataclass(frozen=True)
class Plant:
    """One span as it lies in the ground.

    Attributes:
        route_m: cable length in metres.
        age_ns: years in service, in ns; decides how often the fibre has been repaired.
        optics: name of the transceivers.
        hard_fec: whether G.709 RS(255,239) protects on/off keying (coherent optics have their own).
        dcf: whether dispersion-compensating fibre lies on the line.
        oeo_sites: electrical regenerators, which split the line into equal segments.
        dirt_db: loss of dirty connectors.
        hollow_core: hollow-core instead of glass.
        new_fibre: no repairs and no extra attenuation whatever the age.
    """

    route_m: int
    age_ns: int
    optics: str
    hard_fec: bool = False
    dcf: bool = False
    oeo_sites: int = 0
    dirt_db: float = 0.0
    hollow_core: bool = False
    new_fibre: bool = False
