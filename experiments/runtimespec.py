"""``emulate.runtime``: what the hosts of ranks are, namespaces or containers."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, model_validator

from topologies.files import FileModel
from topologies.suggest import unknown
from topologies.units import Size

RuntimeName = Literal["namespace", "docker"]
MEMORY_BYTES, CPUS = 10**9, 1.0
"""A container's limits unless stated: torch takes a quarter of the memory, a rank computes with
one thread."""
LEAST_BYTES = 256 * 10**6
"""Torch alone takes 216 MB that cannot be read again from files."""


class RuntimeSpec(FileModel):
    """What runs the ranks, and what a container of theirs may use."""

    name: RuntimeName = Field(default="namespace", description="what each rank is run in")
    memory: Size | None = Field(
        default=None,
        ge=LEAST_BYTES,
        description="of a container, swap included; 1 GB unless stated",
    )
    cpus: float | None = Field(
        default=None,
        ge=0.01,
        strict=False,
        description="processors of a container; 1 unless stated",
    )

    @property
    def memory_bytes(self) -> int:
        """The memory limit of a container."""
        return MEMORY_BYTES if self.memory is None else self.memory

    @property
    def processors(self) -> float:
        """The processor limit of a container."""
        return CPUS if self.cpus is None else self.cpus

    @model_validator(mode="after")
    def _limits_need_containers(self) -> RuntimeSpec:
        if self.name == "namespace" and (self.memory, self.cpus) != (None, None):
            raise ValueError("memory and cpus limit containers: state {name: docker, ...}")
        return self


def runtime_named(value: object) -> object:
    """Take a name alone for a runtime with the usual limits."""
    if isinstance(value, str):
        names = get_args(RuntimeName)
        if value not in names:
            raise ValueError(unknown("runtime", value, names))
        return {"name": value}
    return value
