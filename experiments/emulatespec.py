"""``emulate``: the similarity scaling, and what carries and runs the twin."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from experiments.runtimespec import RuntimeName, RuntimeSpec, runtime_named
from topologies.files import FileModel
from topologies.units import parse_scale


def _scale_or_auto(value: object) -> Fraction | None:
    """Read a scale; ``auto`` is None until it is chosen."""
    return None if value is None or value == "auto" else parse_scale(value)


ChosenScale = Annotated[
    Fraction | None,
    PlainValidator(_scale_or_auto),
    PlainSerializer(lambda scale: "auto" if scale is None else str(scale)),
    WithJsonSchema({"type": ["string", "number"], "examples": ["auto", "1/1000", 1]}),
]


def auto_scaled(value: object) -> object:
    """Take ``auto`` for scales that are all to be chosen."""
    if value == "auto":
        return {}
    if not isinstance(value, dict | FileModel):
        raise ValueError("is not a scaling: write auto, or scales such as {bytes: 1/1000, time: 4}")
    return value


class EmulateSpec(FileModel):
    """The similarity scaling: the emulated twin's bytes and times per real one."""

    bytes_: ChosenScale = Field(
        default=None, alias="bytes", description="emulated bytes per real one, or auto: chosen"
    )
    time_: ChosenScale = Field(
        default=None, alias="time", description="emulated seconds per real one, or auto: chosen"
    )
    connections: int | None = Field(
        default=None,
        ge=1,
        le=10**6,
        description="real TCP connections that each emulated one stands for: scales windows and "
        "losses; by default as many as the twin is smaller, which leaves both as they are",
    )
    impairer: Literal["netem", "relay"] | None = Field(
        default=None,
        description="what carries the spans; by default what the machine has and can do it",
    )
    runtime: Annotated[
        RuntimeSpec,
        BeforeValidator(runtime_named, json_schema_input_type=RuntimeName | RuntimeSpec),
    ] = Field(default=RuntimeSpec(), description="what each rank is run in, a name or with limits")

    @property
    def auto(self) -> bool:
        """Return whether a scale is still to be chosen."""
        return self.bytes_ is None or self.time_ is None

    @property
    def bytes(self) -> Fraction:
        """Return emulated bytes per real one."""
        assert self.bytes_ is not None, "chosen by experiments.autoscale before a twin is derived"
        return self.bytes_

    @property
    def time(self) -> Fraction:
        """Return emulated time per real one."""
        assert self.time_ is not None, "chosen by experiments.autoscale before a twin is derived"
        return self.time_
