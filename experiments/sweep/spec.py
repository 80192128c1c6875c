"""The sweep file: which fields of a scenario are varied, over what, and how often."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from experiments.scenario import Scenario, load_scenario
from experiments.sweep.quantity import EXPONENT, Quantity, quantity_of
from topologies.files import FileError, FileModel, as_model, inside, read_model
from topologies.spec import Name

MAX_RUNS = 100_000
"""Of one sweep, repetitions counted: at 3 s each, three and a half days."""


def _numbers(values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    """Take ``1e-6`` for the number that it looks like: YAML, for want of a point, does not."""
    if values is None:
        return None
    return tuple(
        float(it) if isinstance(it, str) and EXPONENT.fullmatch(it) else it for it in values
    )


class AxisSpec(FileModel):
    """What one field takes: a list of values, or ``{from: 1 ms, to: 50 ms, scale: log}``."""

    values: Annotated[tuple[Any, ...] | None, AfterValidator(_numbers)] = Field(None, strict=False)
    from_: Any = Field(None, alias="from", description="a number or a quantity")
    to: Any = None
    scale: Literal["linear", "log"] = "linear"
    count: int | None = Field(
        None, ge=2, le=MAX_RUNS, description="of evenly spaced values, where none are drawn"
    )

    @model_validator(mode="after")
    def _one_way_or_the_other(self) -> AxisSpec:
        stated = (self.from_ is not None, self.to is not None)
        if self.values is not None and (any(stated) or self.count):
            raise ValueError("states a list of values or a range, not both")
        if self.values == ():
            raise ValueError("holds no value: there would be nothing to run")
        if self.values is None and not all(stated):
            raise ValueError("must be a list of values, or a range: {from: 1 ms, to: 50 ms}")
        if self.values is None:
            low, high = self.ends
            if low.dimension != high.dimension:
                kinds = [end.dimension or "plain number" for end in (low, high)]
                raise ValueError(f"from is a {kinds[0]}, to a {kinds[1]}: state both alike")
            if low.value >= high.value:
                raise ValueError("from must be below to")
            if self.scale == "log" and low.value <= 0:
                raise ValueError("from must be above 0 on a log scale")
        return self

    @property
    def ends(self) -> tuple[Quantity, Quantity]:
        """Return both ends of the range; raises ValueError for what is neither number nor unit."""
        return quantity_of(self.from_), quantity_of(self.to)


def _axis(value: object) -> object:
    """Take a list alone for an axis of these values."""
    if isinstance(value, list):
        return {"values": value}
    if not isinstance(value, dict | AxisSpec):
        raise ValueError("is not a list of values: write [a, b], or {from: 1 ms, to: 50 ms}")
    return value


class SweepSpec(FileModel):
    """One sweep."""

    name: Name
    scenario: str | dict[str, Any] = Field(
        description="a scenario file, from the sweep file's folder, or a scenario written out"
    )
    vary: dict[str, Annotated[AxisSpec, BeforeValidator(_axis)]] = Field(
        max_length=64,
        description="by path in the scenario, such as network.spans.*.loss",
    )
    design: Literal["grid", "zip", "random", "sobol"] = "grid"
    points: int | None = Field(None, ge=1, le=MAX_RUNS, description="how many a design draws")
    repetitions: int = Field(1, ge=1, le=1000, description="of each point, with other seeds")
    seed: int = Field(0, ge=0, lt=2**32, description="of what random and sobol draw")
    keep: Literal["all", "results"] = Field(
        "results", description="of each point's run folder: without it, report and trace go"
    )

    @model_validator(mode="after")
    def _fits_its_design(self) -> SweepSpec:
        if not self.vary:
            raise ValueError("vary: names no field: there would be nothing to run")
        drawn = self.design in ("random", "sobol")
        if drawn and self.points is None:
            raise ValueError(f"points: is missing; a {self.design} design draws that many")
        if not drawn and self.points is not None:
            raise ValueError(
                f"points: does not belong to a {self.design}, whose values say how many; "
                "allowed with random and sobol"
            )
        for path, axis in self.vary.items():
            if drawn and axis.count:
                raise ValueError(f"vary.{path}: count does not belong to a {self.design} design")
            if not drawn and axis.values is None and axis.count is None:
                raise ValueError(f"vary.{path}: a {self.design} needs count: how many values")
        return self


def load_sweep(path: Path) -> tuple[SweepSpec, Scenario]:
    """Read a sweep file and the scenario that it varies.

    Raises FileError that names file, place, value and what is allowed.
    """
    if path.is_dir():
        raise FileError(f"{path}: is a folder; name a sweep file")
    spec = read_model(path, SweepSpec)
    if isinstance(spec.scenario, str):
        return spec, load_scenario(inside(path.parent, spec.scenario, f"{path}: scenario"))
    return spec, as_model(spec.scenario, Scenario, f"{path}: scenario")
