"""The physical description of a span: what ageing degrades and upgrades replace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from topologies.ageing.codes import NO_CODE, Code
from topologies.files import FileModel
from topologies.units import Rate

METRO_CUTS = 8.1
"""Cable cuts per 1,000 km and year in metropolitan areas; long-haul 1.9, general 2.7. Grade S, US
data of the 1990s and 2000s, contested: state ``cuts`` where you know better."""
NOISE_FIGURE_DB = 5.5
"""Of a new amplifier; those in use have 5.5 to 10 dB. Grade P."""
SLACK = 2.1
"""Cable route over straight line: a measured rule of thumb, 1.3 on the shortest conduits. Grade A
(Bozkurt et al.)."""

Db = Annotated[float, Field(ge=0, le=60, strict=False)]
Hours = Annotated[float, Field(gt=0, le=1e7, strict=False)]


class Mode(FileModel):
    """One line rate of coherent optics."""

    rate: Rate = Field(description="carried")
    osnr_required_db: Db = Field(
        description="in 0.1 nm; there, the errors are what the error correction just handles"
    )
    modulation: Literal["dp-qpsk", "dp-16qam"] = Field(description="how bits become light")
    baud: float = Field(gt=0, description="symbols per second")


class Optics(FileModel):
    """A pair of transceivers; see optics.yaml. Rates in bit/s, delays in ns, the rest as named."""

    kind: Literal["ook", "coherent", "radio"] = Field(
        description="grey on/off keying, coherent, or a radio link"
    )
    rate: Rate | None = Field(
        default=None, description="of ook and radio; coherent optics have modes"
    )
    code: str = Field(default="none", description="the error correction that comes with them")
    budget_db: Db = Field(default=0.0, description="ook: launch power less receiver sensitivity")
    penalty_db: Db = Field(default=0.0, description="ook: of dispersion and the like")
    modes: tuple[Mode, ...] = Field(
        default=(), strict=False, description="coherent: line rates, the fastest first"
    )
    keep_db: Db = Field(
        default=0.0, description="margin below which they take the next slower mode"
    )
    hops: int = Field(default=0, ge=0, le=100, description="of a radio link")
    fade_capacity: float = Field(
        default=1.0, gt=0, le=1, description="share of the rate that a fade leaves"
    )
    fade_loss: float = Field(default=0.0, ge=0, le=1, description="share of frames lost in a fade")

    @model_validator(mode="after")
    def _of_its_kind(self) -> Optics:
        if self.kind == "coherent":
            if not self.modes or self.rate is not None:
                raise ValueError("coherent optics have modes, each with its rate")
        elif self.modes or not self.rate:
            raise ValueError(f"optics of kind {self.kind} have one rate, and no modes")
        return self


class PlantChange(FileModel):
    """The fields of a plant that a condition sets or an upgrade replaces; unset ones stay."""

    optics: str | None = Field(default=None, description="the transceivers")
    code: str | None = Field(
        default=None, description="error correction; by default what the optics have"
    )
    dcf: bool | None = Field(default=None, description="dispersion-compensating fibre on the line")
    oeo_sites: int | None = Field(
        default=None, ge=0, le=100, description="electrical regenerators, which split the line"
    )
    dirt_db: Db | None = Field(default=None, description="loss of dirty connectors")
    noise_figure_db: Db | None = Field(default=None, description="of the amplifiers")
    slack: float | None = Field(
        default=None, ge=1, le=10, strict=False, description="route over straight line"
    )
    cuts: float | None = Field(
        default=None,
        ge=0,
        le=1000,
        strict=False,
        description="of the cable, per 1,000 km and year, each of them a repair",
    )
    hollow_core: bool | None = Field(default=None, description="hollow-core fibre instead of glass")
    new_fibre: bool | None = Field(
        default=None, description="unrepaired and as attenuating as on day one"
    )
    damaged: bool | None = Field(default=None, description="the fibre corrupts frames steadily")
    waves: int | None = Field(
        default=None, ge=1, le=1000, description="parallel wavelengths or bundled links"
    )
    worn_waves: int | None = Field(
        default=None, ge=0, le=1000, description="how many of them lose frames; all unless stated"
    )
    retransmission: bool | None = Field(
        default=None, description="the line sends again what it corrupts"
    )
    mtu: int | None = Field(default=None, ge=1280, le=9000, description="largest packet, in bytes")
    background_loss: float | None = Field(
        default=None, ge=0, le=1, description="of frames, beside what the margin explains"
    )
    mtbf_h: Hours | None = Field(default=None, description="mean hours between failures")
    mttr_h: Hours | None = Field(default=None, description="mean hours to repair")
    fade_mtbf_h: Hours | None = Field(
        default=None, description="mean hours between a radio link's fades"
    )
    fade_mttr_h: Hours | None = Field(default=None, description="mean hours that a fade lasts")
    hits_per_year: float | None = Field(
        default=None, ge=0, le=10_000, strict=False, description="protection switches of 50 ms"
    )
    diverse: bool | None = Field(default=None, description="a second, independent route stands by")
    radio_backup: bool | None = Field(default=None, description="a microwave link stands by")

    def stated(self) -> dict[str, Any]:
        """Return the fields that are set."""
        return self.model_dump(exclude_none=True)


@dataclass(frozen=True)
class Plant:
    """One span as it lies in the ground.

    Attributes:
        route_m: cable length in metres.
        age_ns: years in service, in ns; decides how often the fibre has been repaired.
        optics: the transceivers, or None where the file states the link outright.
        code: the error correction in use.
        dcf: whether dispersion-compensating fibre lies on the line.
        oeo_sites: electrical regenerators, which split the line into equal segments.
        dirt_db: loss of dirty connectors, 0.5 to 3 dB where there is any (grade X).
        noise_figure_db: of the amplifiers.
        slack: route over straight line.
        cuts: cable cuts per 1,000 km and year, each of them a repair.
        hollow_core: hollow-core instead of glass.
        new_fibre: no repairs and no extra attenuation whatever the age.
        damaged: whether the fibre corrupts frames steadily (see `corruption`).
        waves: parallel wavelengths or bundled links, each of the optics' rate.
        worn_waves: how many of them lose frames; all when None.
        retransmission: whether the line retransmits what it corrupts (see `retransmission`).
        mtu: largest packet of this span alone, or None for the network's.
        background_loss: of frames of any length, beside what the margin explains. Grade X.
        mtbf_h, mttr_h: mean hours between failures and to repair; None where it does not fail.
        fade_mtbf_h, fade_mttr_h: the same of a radio link's fades.
        hits_per_year: protection switches, 50 ms each.
        diverse: whether a second, independent route stands by.
        radio_backup: whether a microwave link stands by.
    """

    route_m: int
    age_ns: int
    optics: Optics | None
    code: Code = NO_CODE
    dcf: bool = False
    oeo_sites: int = 0
    dirt_db: float = 0.0
    noise_figure_db: float = NOISE_FIGURE_DB
    slack: float = SLACK
    cuts: float = METRO_CUTS
    hollow_core: bool = False
    new_fibre: bool = False
    damaged: bool = False
    waves: int = 1
    worn_waves: int | None = None
    retransmission: bool = False
    mtu: int | None = None
    background_loss: float = 0.0
    mtbf_h: float | None = None
    mttr_h: float | None = None
    fade_mtbf_h: float | None = None
    fade_mttr_h: float | None = None
    hits_per_year: float = 0.0
    diverse: bool = False
    radio_backup: bool = False
