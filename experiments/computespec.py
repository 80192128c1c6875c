"""How a scenario states compute time: its mean, how it varies, and who straggles."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from topologies.files import FileModel
from topologies.suggest import unknown
from topologies.units import Duration, parse
from workloads.variation import DISTRIBUTIONS, Variation

MOST_NORMAL_CV = 0.2
"""A normal distribution holds times below 0 once in three million draws there, and more beyond."""


def _distribution(value: object) -> object:
    if value not in DISTRIBUTIONS:
        raise ValueError(unknown("distribution", str(value), DISTRIBUTIONS))
    return value


class ComputeSpec(FileModel):
    """Forward and backward time of a step on the accelerators."""

    mean: Duration = Field(gt=0, description="of a step, over all steps")
    distribution: Annotated[
        str, BeforeValidator(_distribution), Field(json_schema_extra={"enum": [*DISTRIBUTIONS]})
    ] = Field(default="fixed", description="how steps differ around the mean")
    cv: float = Field(
        default=0.0, ge=0, le=2, strict=False, description="standard deviation over mean"
    )

    @model_validator(mode="after")
    def _consistent(self) -> ComputeSpec:
        if (self.distribution == "fixed") != (self.cv == 0):
            kinds = ", ".join(DISTRIBUTIONS[1:])
            raise ValueError(
                f"a distribution ({kinds}) and a cv above 0 belong together: state both, or neither"
            )
        if self.distribution == "normal" and self.cv > MOST_NORMAL_CV:
            raise ValueError(
                f"a normal distribution with a cv of {self.cv:g} holds times below 0; "
                f"take lognormal or gamma, or a cv of {MOST_NORMAL_CV} or less"
            )
        return self

    @model_serializer(mode="wrap")
    def _as_stated(self, handler: SerializerFunctionWrapHandler) -> Any:
        """Write a fixed time as a plain quantity, as most files do."""
        written = handler(self)
        return written["mean"] if self.distribution == "fixed" else written


def compute_of(value: object) -> object:
    """Take a quantity alone for a fixed time; raises ValueError where it is none."""
    if isinstance(value, dict | ComputeSpec):
        return value
    parse(value, "duration")
    return {"mean": value}


class StragglersSpec(FileModel):
    """Steps in which a rank takes longer, by chance, each by itself."""

    probability: float = Field(gt=0, le=1, strict=False, description="of each step of each rank")
    slowdown: float = Field(
        gt=1, le=1000, strict=False, description="how many times as long such a step computes"
    )


def variation_of(compute: ComputeSpec, stragglers: StragglersSpec | None) -> Variation:
    """Return the same as the ranks draw from it."""
    if stragglers is None:
        return Variation(compute.distribution, compute.cv)
    straggling = stragglers.probability, stragglers.slowdown
    return Variation(compute.distribution, compute.cv, *straggling)
