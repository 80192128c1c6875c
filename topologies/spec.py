"""The network part of a scenario file: frozen, unknown keys are errors."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    field_serializer,
    field_validator,
    model_validator,
)

from topologies.ageing.plant import METRO_CUTS
from topologies.files import FileModel
from topologies.statespec import StateSpec
from topologies.suggest import unknown
from topologies.units import Duration, Length, Rate, Size

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$", examples=["north"])]


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Conditions = Annotated[
    tuple[Name, ...],
    BeforeValidator(_one_or_more),
    Field(min_length=1, max_length=8, strict=False),
    PlainSerializer(lambda names: names[0] if len(names) == 1 else list(names)),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""A preset of the ageing model, or several of which later ones modify the first."""


def worker_name(campus: str, index: int) -> str:
    """Return the name of a campus's worker, by its index there from 0."""
    return f"{campus}-w{index + 1}"


MAX_FABRIC_DELAY_NS = 50_000
"""A hop inside a campus is not delayed: its real delay must vanish beside the switches' own."""


class FabricSpec(FileModel):
    """The network inside one campus; its rate is also each worker's access rate."""

    kind: Literal["leaf-spine", "star", "ring", "torus"] = Field(
        default="leaf-spine", description="how its switches are joined"
    )
    leaves: int = Field(default=2, ge=1, le=32, description="leaf switches, or switches of a ring")
    spines: int = Field(default=2, ge=1, le=32, description="spine switches, or rings of a torus")
    rate: Rate = Field(default=400 * 10**9, description="of each worker's access link")
    delay: Duration = Field(default=2_000, description="of one hop")
    mtu: int = Field(default=9000, ge=1280, le=9000, description="largest packet, in bytes")

    @field_validator("delay")
    @classmethod
    def _within_the_floor(cls, delay: int) -> int:
        if delay > MAX_FABRIC_DELAY_NS:
            raise ValueError("is more than 50 us: a fabric adds no delay of its own; use a span")
        return delay

    @field_validator("rate")
    @classmethod
    def _carries(cls, rate: int) -> int:
        if rate == 0:
            raise ValueError("must be above 0")
        return rate


Speed = Annotated[float, Field(gt=0, le=1000, strict=False)]


def _of_all_or_each(speed: object) -> object:
    return [speed] if isinstance(speed, int | float) else speed


class CampusSpec(FileModel):
    """A site: its workers (one rank each) and the fabric that joins them."""

    workers: int = Field(ge=1, le=128, description="machines that train, one rank each")
    fabric: FabricSpec = Field(default=FabricSpec(), description="the network that joins them")
    accelerators: int | None = Field(
        None, ge=1, description="that the workers stand for; what incoherence costs is theirs"
    )
    speed: Annotated[
        tuple[Speed, ...],
        BeforeValidator(_of_all_or_each, json_schema_input_type=Speed | tuple[Speed, ...]),
    ] = Field(
        (1.0,),
        strict=False,
        description="of the accelerators against the workload's compute time, or one per worker",
    )

    @field_serializer("speed")
    def _as_stated(self, speed: tuple[float, ...]) -> float | list[float]:
        return speed[0] if len(speed) == 1 else list(speed)

    @model_validator(mode="after")
    def _speed_of_each(self) -> CampusSpec:
        if len(self.speed) not in (1, self.workers):
            raise ValueError(
                f"speed states {len(self.speed)} numbers for {self.workers} workers: "
                "state one for all, or one for each"
            )
        return self

    @property
    def speeds(self) -> tuple[float, ...]:
        """Return the speed of each worker's accelerators."""
        return self.speed * self.workers if len(self.speed) == 1 else self.speed


class TraceSpec(StateSpec):
    """A change of both directions of a span, some time after training began on the aged spans."""

    after: Duration = Field(description="since training on the aged spans began, in real time")


class FailureSpec(FileModel):
    """How often a span fails and how long it then stays down, on average."""

    mtbf: Duration | None = Field(default=None, gt=0, description="mean time between failures")
    mttr: Duration | None = Field(default=None, gt=0, description="mean time to repair")
    percentile: float | None = Field(
        None, ge=0, le=1, strict=False, description="of fibre vendors, 0 the worst between failures"
    )

    @model_validator(mode="after")
    def _one_way_or_the_other(self) -> FailureSpec:
        stated = (self.mtbf is not None, self.mttr is not None)
        if all(stated) == (self.percentile is not None) or any(stated) != all(stated):
            raise ValueError("needs mtbf and mttr, or a percentile of fibre vendors")
        return self


class OutagesSpec(FileModel):
    """Outages drawn from how often spans fail, in months that pass faster than training does."""

    speed: int = Field(ge=1, le=10**9, description="hours of faults per hour of training")


class SpanSpec(StateSpec):
    """A link between two campuses: a condition on a route, or its link state stated outright."""

    between: tuple[Name, Name] | None = Field(
        None, description="the two campuses, where the span's name does not say them", strict=False
    )
    route: Length | None = Field(None, description="length of the cable, not of the straight line")
    condition: Conditions | None = Field(
        default=None,
        description="what it is made of, or several of which later ones modify the first",
    )
    age: Duration = Field(default=0, description="years in service, which decide its repairs")
    cuts: float | None = Field(
        None,
        ge=0,
        le=1000,
        strict=False,
        description=f"of the cable, per 1,000 km and year; {METRO_CUTS} unless stated",
    )
    duct: Name | None = Field(None, description="spans in one duct are cut together")
    failures: FailureSpec | None = Field(None, description="in place of the condition's")
    forward: StateSpec | None = Field(None, description="what differs from first to second")
    backward: StateSpec | None = Field(None, description="what differs from second to first")
    trace: list[TraceSpec] | None = Field(
        None, min_length=1, max_length=4096, description="how the aged span changes by itself"
    )

    @model_validator(mode="after")
    def _condition_or_state(self) -> SpanSpec:
        if self.route is not None and self.route > 20_000_000:
            raise ValueError("route is longer than half the earth's circumference, 20000 km")
        stated = [key for key in ("rate", "delay", "loss") if getattr(self, key) is not None]
        if self.condition:
            if stated:
                raise ValueError(f"states both a condition and {stated[0]}; give one or the other")
            if self.route is None:
                raise ValueError('needs a route beside its condition, such as "24 km"')
        else:
            if self.rate is None:
                raise ValueError(
                    "needs a condition (with a route), or a rate with a delay or route"
                )
            if self.delay is None and self.route is None:
                raise ValueError("needs a delay or a route beside its rate")
            if self.age or self.cuts is not None:
                what = "an age" if self.age else "cuts"
                raise ValueError(f"has {what} but no condition: only conditions age")
        times = [change.after for change in self.trace or ()]
        if times != sorted(set(times)):
            raise ValueError("trace: each change must come after the one before it")
        return self


class NetworkSpec(FileModel):
    """Campuses and the spans between them."""

    campuses: dict[Name, CampusSpec] = Field(
        min_length=1, max_length=32, description="the sites, by name"
    )
    spans: dict[Name, SpanSpec] = Field(
        default_factory=dict, max_length=64, description="the links between them, by name"
    )
    outages: OutagesSpec | None = Field(
        None, description="draw them; without it only those of the timeline happen"
    )
    congestion_control: Literal["reno", "cubic", "bbr"] = Field(
        "reno", description="TCP of the workers; bbr hides loss"
    )
    window: Size | None = Field(
        None,
        gt=0,
        le=2**30,
        description="the most that a TCP connection keeps unacknowledged; 6 MiB, as Linux has it, "
        "unless stated",
    )

    @field_validator("spans")
    @classmethod
    def _joined(cls, spans: dict[str, SpanSpec], info: ValidationInfo) -> dict[str, SpanSpec]:
        campuses = info.data.get("campuses")
        if campuses is None:  # already reported
            return spans
        for name, span in spans.items():
            ends(name, span, tuple(campuses))
        return spans

    @model_validator(mode="after")
    def _connected(self) -> NetworkSpec:
        if cut_off := self.cut_off_without(()):
            raise ValueError(
                f'no span leads from campus "{next(iter(self.campuses))}" '
                f'to "{cut_off[0]}"; add one under spans'
            )
        return self

    def cut_off_without(self, spans: Collection[str]) -> list[str]:
        """Return the campuses that the first cannot reach without these spans."""
        reached, frontier = set(), [next(iter(self.campuses))]
        pairs = [self.ends_of(name) for name in self.spans if name not in spans]
        while frontier:
            here = frontier.pop()
            reached.add(here)
            near = [b if a == here else a for a, b in pairs if here in (a, b)]
            frontier += [campus for campus in near if campus not in reached]
        return [campus for campus in self.campuses if campus not in reached]

    @property
    def workers(self) -> list[str]:
        """Return the names of all workers, campus by campus."""
        return [
            worker_name(campus, index)
            for campus, spec in self.campuses.items()
            for index in range(spec.workers)
        ]

    def ends_of(self, span: str) -> tuple[str, str]:
        """Return the two campuses that a span joins."""
        return ends(span, self.spans[span], tuple(self.campuses))

    @property
    def mtu(self) -> int:
        """Return the largest packet that every fabric and every span carries."""
        states = [
            state
            for span in self.spans.values()
            for state in (span, span.forward, span.backward, *(span.trace or ()))
        ]
        limits: list[int] = [campus.fabric.mtu for campus in self.campuses.values()]
        limits += [state.mtu for state in states if state and state.mtu]
        return min(limits)


def ends(name: str, span: SpanSpec, campuses: tuple[str, ...]) -> tuple[str, str]:
    """Return the campuses a span joins, from ``between`` or from a name like ``north-south``."""
    if span.between:
        first, second = span.between
    else:
        cuts = [(name[: dash.start()], name[dash.end() :]) for dash in re.finditer("-", name)]
        if not cuts:
            raise ValueError(
                f'span "{name}" does not say which campuses it joins: '
                'call it "a-b" or add between: [a, b]'
            )
        fitting = [cut for cut in cuts if cut[0] in campuses and cut[1] in campuses]
        if len(fitting) > 1:
            raise ValueError(f'span "{name}" can be read in more than one way: add between: [a, b]')
        first, second = max(cuts, key=lambda cut: (cut[0] in campuses) + (cut[1] in campuses))
    for campus in (first, second):
        if campus not in campuses:
            raise ValueError(f'span "{name}": ' + unknown("campus", campus, campuses))
    if first == second:
        raise ValueError(f'span "{name}" joins campus "{first}" to itself')
    return first, second
