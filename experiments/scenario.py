"""The scenario file: the real system in real units, and what happens to it."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from controller import policies
from topologies.files import FileError, FileModel, read_model
from topologies.spec import Name, NetworkSpec
from topologies.suggest import unknown
from topologies.units import Duration, Scale, Size
from topologies.upgrades.catalogue import UPGRADES
from workloads import strategies

MAX_STEPS = 100_000


def _read_step(value: object) -> int:
    if isinstance(value, str) and (match := re.fullmatch(r"step ([0-9]{1,6})", value)):
        return int(match[1])
    raise ValueError('is not a moment: write "step 20"')


AtStep = Annotated[
    int,
    BeforeValidator(_read_step),
    PlainSerializer(lambda step: f"step {step}"),
    WithJsonSchema({"type": "string", "pattern": "^step [0-9]+$", "examples": ["step 20"]}),
]


def _one_of(kind: str, allowed: Collection[str]) -> Any:
    def check(value: object) -> object:
        if value not in allowed:
            raise ValueError(unknown(kind, str(value), allowed))
        return value

    return BeforeValidator(check)


class ControllerSpec(FileModel):
    """Who decides where traffic goes."""

    policy: Annotated[str, _one_of("policy", policies.names())] = "shortest-delay"


class WorkloadSpec(FileModel):
    """What is trained, in the real system's quantities."""

    strategy: Annotated[str, _one_of("strategy", strategies.names())] = "ddp"
    gradients: Size = Field(description="bytes all-reduced per step")
    bucket: Size = Field(25 * 2**20, description="gradients are all-reduced in buckets this large")
    compute: Duration = Field(description="forward and backward of one step on the accelerators")
    steps: int = Field(ge=2, le=MAX_STEPS, description="of the whole run, the reference included")
    reference_steps: int = Field(10, ge=3, description="first steps, with campus-grade spans")
    timeout: Duration = Field(30 * 10**9, description="of a collective, in emulated time")

    @model_validator(mode="after")
    def _something_to_do(self) -> WorkloadSpec:
        if self.gradients == 0:
            raise ValueError("gradients must be above 0")
        if self.bucket == 0:
            raise ValueError("bucket must be above 0")
        if self.timeout < 10**9:
            raise ValueError("timeout must be 1 s or more")
        if self.steps <= self.reference_steps:
            raise ValueError(
                f"steps ({self.steps}) must be more than reference_steps ({self.reference_steps}), "
                "which they include"
            )
        return self


def _stated_scale(value: object) -> object:
    if not isinstance(value, dict | FileModel):
        fault = "is not available yet" if value == "auto" else "is not a scaling"
        raise ValueError(f"{fault}: state the scales, such as {{bytes: 1/1000, time: 1}}")
    return value


class EmulateSpec(FileModel):
    """The similarity scaling: the emulated twin's bytes and times per real one."""

    bytes: Scale
    time: Scale
    impairer: Literal["netem", "relay"] | None = Field(
        None, description="what carries the spans; by default what the machine has and can do it"
    )


class TimelineEvent(FileModel):
    """An upgrade of a span while training runs."""

    at: AtStep
    upgrade: Name = Field(description="the span to upgrade")
    with_: Annotated[str, _one_of("upgrade", UPGRADES)] = Field(alias="with")


class TargetSpec(FileModel):
    """What the experiment hopes for."""

    coherence: float = Field(default=0.95, gt=0, le=1)


class Scenario(FileModel):
    """One experiment."""

    name: Name
    seed: int = Field(0, ge=0, lt=2**32)
    network: NetworkSpec
    controller: ControllerSpec = ControllerSpec()
    workload: WorkloadSpec
    emulate: Annotated[EmulateSpec, BeforeValidator(_stated_scale)]
    timeline: tuple[TimelineEvent, ...] = Field((), strict=False)
    target: TargetSpec = TargetSpec()

    @model_validator(mode="after")
    def _consistent(self) -> Scenario:
        workers = sum(campus.workers for campus in self.network.campuses.values())
        if workers < 2:
            raise ValueError("network: one worker alone has nobody to train with; add workers")
        before = self.workload.reference_steps
        for index, event in enumerate(self.timeline):
            where = f"timeline.{index}"
            if event.upgrade not in self.network.spans:
                known = unknown("span", event.upgrade, self.network.spans)
                raise ValueError(f"{where}.upgrade: {known}")
            if not before < event.at < self.workload.steps:
                raise ValueError(
                    f"{where}.at: step {event.at} must lie after step {before} "
                    f"and before step {self.workload.steps}, the end"
                )
            before = event.at
        return self


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file; raises FileError that names file, path, value and what is allowed."""
    if path.is_dir():
        raise FileError(f"{path}: is a folder; name a scenario file, such as {path}/lab.yaml")
    return read_model(path, Scenario)
